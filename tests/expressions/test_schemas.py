"""JSON Schema: clear messages, nothing fetched, patterns in linear time."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from penstock.expressions import SchemaError, compile_schema
from penstock.model import limits
from penstock.model.json_value import Json

PERSON: Json = {
    "type": "object",
    "properties": {"user": {"properties": {"age": {"type": "integer"}, "mail": {"format": "email"}}}},
    "required": ["user"],
}


def test_a_valid_value_has_no_message() -> None:
    assert compile_schema(PERSON).validate({"user": {"age": 4, "mail": "a@b.example"}}) is None
    assert compile_schema(True).validate(None) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"user": {"age": "x"}}, 'at /user/age: "x" is not of type "integer"'),
        ({}, '"user" is a required property'),
        ({"user": {"mail": "nobody"}}, 'at /user/mail: "nobody" is not a "email"'),
    ],
)
def test_a_message_says_what_is_wrong_and_where(value: Json, message: str) -> None:
    assert compile_schema(PERSON).validate(value) == message


def test_messages_are_limited_in_number_and_length() -> None:
    told = compile_schema({"items": {"type": "string"}}).validate([1] * 50)
    assert told is not None and told.count("at /") == limits.MAX_SCHEMA_ERRORS and told.endswith("and more")
    told = compile_schema({"type": "integer"}).validate("x" * 10_000)
    assert told is not None and len(told) <= limits.MAX_SCHEMA_MESSAGE_CHARS + 1


@pytest.mark.parametrize(
    "schema",
    [
        5,
        {"type": "nothing"},
        {"pattern": "("},
        {"pattern": "^(?=a)b"},
        {"pattern": "a{1000}{1000}{1000}"},
        {"$ref": "#/nowhere"},
        {"$ref": "relative.json"},
        {"$schema": "https://schemas.example/own", "type": "string"},
        {"properties": {"a": {"$ref": "https://schemas.example/a.json"}}},
    ],
)
def test_an_unusable_schema_is_refused(schema: Json) -> None:
    with pytest.raises(SchemaError):
        compile_schema(schema)


def test_the_schema_s_own_draft_counts() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}
    assert compile_schema(schema).validate([1]) is not None


def test_pinned_documents_are_found_and_no_others() -> None:
    uri = "https://schemas.example/name.json"
    schema = {"properties": {"name": {"$ref": uri}}}
    assert compile_schema(schema, {uri: {"type": "string"}}).validate({"name": 1}) is not None
    with pytest.raises(SchemaError, match="not pinned"):
        compile_schema(schema)


def test_no_file_is_read(tmp_path: Path) -> None:
    document = tmp_path / "schema.json"
    document.write_text('{"type": "string"}')
    with pytest.raises(SchemaError, match="not pinned"):
        compile_schema({"$ref": document.as_uri()})


def test_no_connection_is_opened() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(SchemaError, match="not pinned"):
                compile_schema({"$ref": f"http://127.0.0.1:{server.server_port}/schema.json"})
        finally:
            server.shutdown()
            thread.join()
    assert asked == []


def test_a_pattern_costs_linear_time() -> None:
    schema = compile_schema({"pattern": "^(a+)+$"})
    began = time.process_time()
    assert schema.validate("a" * 200_000 + "b") is not None
    assert time.process_time() - began < 2


def test_references_that_fan_out_are_refused() -> None:
    def fan(stages: int) -> Json:
        definitions: dict[str, Json] = {
            f"s{stage}": {"anyOf": [{"$ref": f"#/$defs/s{stage + 1}"}] * 2} for stage in range(stages)
        }
        return {"$defs": {**definitions, f"s{stages}": {"type": "integer"}}, "$ref": "#/$defs/s0"}

    assert compile_schema(fan(5)).validate(1) is None
    with pytest.raises(SchemaError, match="apply to one place"):
        compile_schema(fan(30))


def test_branching_recursion_bounds_the_depth_of_the_value() -> None:
    both = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["kind"]}
    schema = compile_schema({"anyOf": [both, both, {"type": "integer"}]})
    value: Json = 1
    for _ in range(10):
        value = {"kind": 1, "next": value}
    assert schema.validate(value) is None
    for _ in range(400):
        value = {"next": value}
    told = schema.validate(value)
    assert told is not None and "recursive schema" in told


def test_plain_recursion_takes_any_depth() -> None:
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "rest": {"items": {"$ref": "#"}}},
    }
    value: Json = {}
    for _ in range(limits.MAX_JSON_DEPTH - 1):
        value = {"left": value}
    assert compile_schema(tree).validate(value) is None
