"""What defines a tool, and how every mistake in a definition is told."""

import pytest

from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_TOOL_WEIGHT
from penstock.tools.contract import HttpTransport, PullTransport, PushTransport, ToolDefinition
from penstock.tools.registry import read_tool

HTTP = {"kind": "http", "endpoint": "http://my-service:5000/"}
PUSH = {"kind": "push", "url": "http://my-service:5000/"}


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


def test_tools_that_take_work_by_event():
    push = {**PUSH, "secret": "signing", "headers": {"X-Team": "a"}, "timeout": "PT5S", "attempts": 3}
    assert read_tool({"name": "a", "transport": push, "prefix": "sh.keptn.event.", "start_timeout": "PT1M"}) == (
        ToolDefinition(
            "a", "a", PushTransport("http://my-service:5000/", "signing", {"X-Team": "a"}, 5000, 3),
            prefix="sh.keptn.event.", start_timeout_ms=60_000,
        )
    )  # fmt: skip
    assert read_tool({"name": "a", "transport": {"kind": "pull", "lease": {"seconds": 5}}}) == ToolDefinition(
        "a", "a", PullTransport(5000)
    )


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
        ({"transport": {"kind": "nats"}}, "/transport/kind", "'nats' is not available yet"),
        ({"transport": {"kind": "pull", "lease": "PT0.5S"}}, "/transport/lease", "1000 to"),
        ({"transport": {"kind": "pull", "url": "http://x"}}, "/transport/url", "no member"),
        ({"transport": {"kind": "push"}}, "/transport/url", "missing"),
        ({"transport": {"kind": "push", "url": "ftp://x"}}, "/transport/url", "http"),
        ({"transport": {**PUSH, "secret": ""}}, "/transport/secret", "stored secret"),
        ({"transport": {**PUSH, "attempts": 11}}, "/transport/attempts", "1 to 10"),
        ({"transport": {**PUSH, "timeout": "PT2M"}}, "/transport/timeout", "at most"),
        ({"transport": PUSH, "timeout": "PT2M"}, "/timeout", "start_timeout"),
        ({"prefix": "sh.keptn.event."}, "/prefix", "push or pull"),
        ({"transport": PUSH, "prefix": "a b"}, "/prefix", "letters"),
        ({"transport": PUSH, "start_timeout": "PT0S"}, "/start_timeout", "longer"),
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
