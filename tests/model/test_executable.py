"""What loads but does not run is refused by name and place; nothing else is."""

import pytest

from penstock.model import load_document, refusals
from penstock.model.executable import CONSTRUCTS
from penstock.model.json_value import Json
from tests.model.documents import load, text
from tests.model.test_load import examples

ENDPOINT = "http://example.com/a"


def http(**endpoint: Json) -> dict[str, Json]:
    return {"call": "http", "with": {"method": "get", "endpoint": {"uri": ENDPOINT, **endpoint}}}


RESOURCE = {"endpoint": ENDPOINT}
REFUSED: dict[str, tuple[Json, dict[str, Json]]] = {
    "call-grpc": (
        {"call": "grpc", "with": {"proto": RESOURCE, "method": "m", "service": {"name": "s", "host": "h"}}},
        {},
    ),
    "call-asyncapi": (
        {"call": "asyncapi", "with": {"document": RESOURCE, "operation": "o", "message": {"payload": {}}}},
        {},
    ),
    "call-a2a": ({"call": "a2a", "with": {"method": "tasks/get"}}, {}),
    "call-mcp": ({"call": "mcp", "with": {"method": "tools/list", "transport": {"stdio": {"command": "c"}}}}, {}),
    "call-function-catalog": ({"call": "log:1.0.0"}, {}),
    "run-container": ({"run": {"container": {"image": "i"}}}, {}),
    "run-script": ({"run": {"script": {"language": "js", "code": "1"}}}, {}),
    "run-shell": ({"run": {"shell": {"command": "c"}}}, {}),
    "authentication-digest": (http(authentication={"digest": {"username": "u", "password": "p"}}), {}),
    "authentication-oauth2": (http(authentication={"oauth2": {"authority": ENDPOINT}}), {}),
    "authentication-oidc": (http(authentication={"oidc": {"authority": ENDPOINT}}), {}),
    "schedule": ({"wait": "PT1S"}, {"schedule": {"every": "PT1M"}}),
    "catalogs": ({"wait": "PT1S"}, {"use": {"catalogs": {"c": {"endpoint": ENDPOINT}}}}),
    "extensions": ({"wait": "PT1S"}, {"use": {"extensions": [{"e": {"extend": "all"}}]}}),
    "evaluate-language": ({"wait": "PT1S"}, {"evaluate": {"language": "js"}}),
    "schema-format": ({"wait": "PT1S"}, {"input": {"schema": {"format": "avro", "document": {}}}}),
    "relative-endpoint": ({"call": "http", "with": {"method": "get", "endpoint": "/pets"}}, {}),
}


def test_every_construct_that_does_not_run_has_a_case_here() -> None:
    assert {name for name, construct in CONSTRUCTS.items() if not construct.runs} <= set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_construct_that_does_not_run_loads_and_is_refused_exactly_then(name: str) -> None:
    task, members = REFUSED[name]
    loaded = load(task, **members)
    assert loaded.valid, [str(found) for found in loaded.errors]
    assert name in {use.construct for use in loaded.constructs}
    assert [found.code for found in refusals(loaded)] == ["not-executable"] * (not CONSTRUCTS[name].runs)


def test_a_refusal_names_the_construct_and_its_place() -> None:
    loaded = text(
        "do:\n  - ask:\n      call: mcp\n      with: {method: tools/list, transport: {stdio: {command: c}}}\n"
    )
    [found] = refusals(loaded)
    assert (found.line, found.column, found.pointer) == (3, 5, "/do/0/ask")
    assert "`call: mcp`" in found.message


def test_a_policy_counts_where_it_is_used() -> None:
    use = {"authentications": {"named": {"oauth2": {"authority": ENDPOINT}}}}
    assert refusals(load({"wait": "PT1S"}, use=use)) == []
    [found] = refusals(load(http(authentication={"use": "named"}), use=use))
    assert found.pointer == "/do/0/t0/with/endpoint/authentication"


@pytest.mark.parametrize(
    ("name", "construct"),
    [
        ("checknumber", "call-capability"),
        ("a:b", "call-capability"),
        ("log:1.0.0", "call-function-catalog"),
        ("log:1.0.0@default", "call-function-catalog"),
        ("https://example.com/function.yaml", "call-function-url"),
        ("local", "call-function"),
    ],
)
def test_the_name_of_a_call_tells_what_is_called(name: str, construct: str) -> None:
    loaded = load({"call": name}, use={"functions": {"local": {"wait": "PT1S"}}})
    assert [use.construct for use in loaded.constructs if use.pointer == "/do/0/t0"] == [construct]


def test_every_construct_of_the_examples_is_in_the_table() -> None:
    met = {use.construct for path in examples("examples") for use in load_document(path.read_bytes()).constructs}
    assert met <= set(CONSTRUCTS)
    assert {"call-http", "listen", "try", "run-container", "authentication-oidc"} <= met
