"""What defines a tool, and how every mistake in a definition is told."""

import pytest

from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_TOOL_WEIGHT
from penstock.tools.contract import HttpTransport, ToolDefinition
from penstock.tools.registry import read_tool

HTTP = {"kind": "http", "endpoint": "http://my-service:5000/"}


def findings(data: Json) -> list[tuple[str, str]]:
    found = read_tool(data)
    assert isinstance(found, list), found
    assert all(isinstance(finding, Diagnostic) and finding.severity == "error" for finding in found)
    return [(finding.pointer, finding.message) for finding in found]


def test_the_capability_is_the_name_unless_it_is_given():
    assert read_tool({"name": "upper", "transport": HTTP}) == ToolDefinition(
        "upper", "upper", HttpTransport("http://my-service:5000/")
    )


def test_everything_that_can_be_said():
    schema = {"type": "object"}
    transport = {**HTTP, "method": "put", "headers": {"X-Team": "a"}, "answer": "object"}
    assert read_tool(
        {
            "name": "upper-2", "capability": "text.upper", "stage": "dev", "weight": MAX_TOOL_WEIGHT,
            "transport": transport, "input": schema, "output": True, "timeout": {"seconds": 5},
            "metadata": {"a": 1},
        }
    ) == ToolDefinition(
        "upper-2", "text.upper", HttpTransport("http://my-service:5000/", "PUT", {"X-Team": "a"}, "object"),
        "dev", MAX_TOOL_WEIGHT, schema, True, 5000, {"a": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"name": None}, "/name", "missing"),
        ({"name": 5}, "/name", "text"),
        ({"name": "a b"}, "/name", "letters"),
        ({"name": "x" * 101}, "/name", "100"),
        ({"capability": "-"}, "/capability", "letters"),
        ({"stage": ""}, "/stage", "letters"),
        ({"weight": -1}, "/weight", "0 to"),
        ({"weight": MAX_TOOL_WEIGHT + 1}, "/weight", str(MAX_TOOL_WEIGHT)),
        ({"weight": True}, "/weight", "integer"),
        ({"input": "x"}, "/input", "JSON Schema"),
        ({"output": [1]}, "/output", "JSON Schema"),
        ({"timeout": "soon"}, "/timeout", "not a duration"),
        ({"timeout": "PT0S"}, "/timeout", "longer than nothing"),
        ({"metadata": 1}, "/metadata", "object"),
        ({"transprot": 1}, "/transprot", "did you mean 'transport'"),
        ({"transport": None}, "/transport", "missing"),
        ({"transport": "http"}, "/transport", "object"),
        ({"transport": {"kind": "pull"}}, "/transport/kind", "'pull' is not available yet"),
        ({"transport": {"kind": "pigeon"}}, "/transport/kind", "no transport 'pigeon'"),
        ({"transport": {"kind": "http"}}, "/transport/endpoint", "missing"),
        ({"transport": {**HTTP, "endpoint": "ftp://x"}}, "/transport/endpoint", "http"),
        ({"transport": {**HTTP, "endpoint": "http://u:p@x/"}}, "/transport/endpoint", "credentials"),
        ({"transport": {**HTTP, "method": "GET"}}, "/transport/method", "POST"),
        ({"transport": {**HTTP, "headers": {"a b": "c"}}}, "/transport/headers", "name of a header"),
        ({"transport": {**HTTP, "answer": "list"}}, "/transport/answer", "any or object"),
        ({"transport": {**HTTP, "url": "x"}}, "/transport/url", "no member"),
    ],
)
def test_a_mistake_is_told_with_its_place(change, pointer, words):
    ((found_pointer, message),) = findings({"name": "upper", "transport": HTTP, **change})
    assert found_pointer == pointer
    assert words in message


def test_all_mistakes_are_told_at_once():
    assert {pointer for pointer, _ in findings({"weight": -1, "stage": 5})} == {
        "/name", "/weight", "/stage", "/transport",
    }  # fmt: skip


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_what_is_no_object(data):
    assert findings(data) == [("", "a tool must be an object")]


def test_what_the_engine_cannot_carry():
    ((_, message),) = findings({"name": "upper", "transport": HTTP, "input": {"const": 2**65}})
    assert "64 bits" in message
