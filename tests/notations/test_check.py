"""Findings beyond the shape: certain errors in expressions, and advice about what is probably not meant."""

import pytest

from penstock.model import LoadedDocument
from penstock.model.json_value import Json
from penstock.notations import check_workflow, expressions_of
from tests.model.documents import load, text, workflow

SET = {"set": {"a": 1}}


def findings(loaded: LoadedDocument, **options: Json) -> list[tuple[str, str, str]]:
    assert loaded.valid, [str(found) for found in loaded.errors]
    return [(found.severity, found.code, found.pointer) for found in check_workflow(loaded, **options)]


def test_a_broken_expression_is_an_error_with_its_line() -> None:
    loaded = text("do:\n  - a:\n      set:\n        x: ${ .a }\n        y: ${ (.a }\n")
    [found] = check_workflow(loaded)
    assert (found.severity, found.code, found.line, found.column) == ("error", "expression", 6, 12)
    assert "at character" in found.message


@pytest.mark.parametrize("kind", ["bare", "wrapped"])
def test_fields_that_are_expressions_are_compiled_with_and_without_braces(kind: str) -> None:
    def condition(body: str) -> Json:
        return {**SET, "if": body if kind == "bare" else f"${{ {body} }}"}

    assert findings(load(condition(".a"))) == []
    assert findings(load(condition("(.a"))) == [("error", "expression", "/do/0/t0/if")]


def test_texts_that_look_like_expressions_are_warned_of() -> None:
    loaded = load({"set": {"a": "text ${ .x }", "b": ".a.b", "c": "$context.x", "d": "costs $5", "e": "a.b"}})
    assert findings(loaded) == [
        ("warning", "not-an-expression", "/do/0/t0/set/a"),
        ("warning", "not-an-expression", "/do/0/t0/set/b"),
        ("warning", "not-an-expression", "/do/0/t0/set/c"),
    ]


def test_a_secret_outside_a_call_is_warned_of() -> None:
    use = {"secrets": ["s"]}
    call = {"call": "http", "with": {"method": "get", "endpoint": "http://e.com/", "headers": {"a": "${ $secrets.s }"}}}
    assert findings(load(call, use=use)) == []
    assert findings(load({"set": {"a": "${ $secrets.s }"}}, use=use)) == [
        ("warning", "secret-in-data", "/do/0/t0/set/a")
    ]
    assert findings(load({**SET, "if": "$secret.s"}, use=use)) == [("warning", "secret-in-data", "/do/0/t0/if")]
    exported = {**call, "export": {"as": "${ {auth: $authorization} }"}}
    assert findings(load(exported, use=use)) == [("warning", "secret-in-data", "/do/0/t0/export/as")]


@pytest.mark.parametrize(
    ("tasks", "unreached"),
    [
        ([SET, SET], []),
        ([{**SET, "then": "end"}, SET, SET], ["/do/1/t1", "/do/2/t2"]),
        ([{**SET, "then": "exit"}, SET], ["/do/1/t1"]),
        ([{**SET, "then": "t2"}, SET, SET], ["/do/1/t1"]),
        ([{**SET, "then": "t2"}, SET, {**SET, "then": "t1"}], []),
        ([{**SET, "if": ".x", "then": "end"}, SET], []),
        ([{"raise": {"error": {"type": "http://e", "status": 400}}}, SET], ["/do/1/t1"]),
        ([{"raise": {"error": {"type": "http://e", "status": 400}}, "if": ".x"}, SET], []),
        ([{"switch": [{"a": {"when": ".x", "then": "t2"}}]}, SET, SET], []),
        ([{"switch": [{"a": {"when": ".x", "then": "t2"}}, {"b": {"then": "t2"}}]}, SET, SET], ["/do/1/t1"]),
        ([{"try": [], "catch": {"then": "t2"}, "then": "end"}, SET, SET], ["/do/1/t1"]),
        ([{"do": [{"a": {**SET, "then": "exit"}}, {"b": SET}]}], ["/do/0/t0/do/1/b"]),
        ([{"fork": {"branches": [{"a": {**SET, "then": "exit"}}, {"b": SET}]}}], []),
    ],
)
def test_tasks_that_are_never_reached_are_warned_of(tasks: list[Json], unreached: list[str]) -> None:
    assert [pointer for _, code, pointer in findings(load(*tasks)) if code == "unreachable"] == unreached


def test_a_predicate_over_data_without_a_key_is_warned_of() -> None:
    predicate = {"with": {"type": "a", "data": "${ .x > 1 }"}}
    keyed = {**predicate, "correlate": {"k": {"from": ".data.k", "expect": "1"}}}
    loaded = load(
        {"listen": {"to": {"any": [predicate, keyed, {"with": {"data": {"x": 1}}}], "until": {"one": predicate}}}}
    )
    assert findings(loaded) == [
        ("warning", "predicate-without-key", "/do/0/t0/listen/to/any/0/with/data"),
        ("warning", "predicate-without-key", "/do/0/t0/listen/to/until/one/with/data"),
    ]
    scheduled = load(SET, schedule={"on": {"one": predicate}})
    assert findings(scheduled) == [("warning", "predicate-without-key", "/schedule/on/one/with/data")]


def test_a_capability_that_nobody_provides_is_warned_of_when_that_is_known() -> None:
    loaded = load(
        {"call": "checknumbr"}, {"call": "local"}, {"call": "http://f.com/f.yaml"}, use={"functions": {"local": SET}}
    )
    assert findings(loaded) == []
    assert findings(loaded, known_capabilities=["checknumbr"]) == []
    [found] = check_workflow(loaded, known_capabilities=["checknumber"])
    assert (found.code, found.pointer) == ("unknown-capability", "/do/0/t0/call")
    assert "did you mean 'checknumber'?" in found.message


def test_a_document_that_did_not_load_has_no_further_findings() -> None:
    assert check_workflow(load({"set": {}})) == []


def test_every_expression_of_a_workflow_is_listed_without_its_braces() -> None:
    loaded = workflow(
        {
            "if": " .a ",
            "call": "http",
            "with": {"method": "get", "endpoint": "${ .uri }", "query": {"q": "${\n .q\n}"}},
            "output": {"as": ".content"},
            "timeout": {"after": "${ .t }"},
        },
        use={"functions": {"f": {"set": "${ .in }"}}},
        input={"from": ".whole"},
    )
    assert dict(expressions_of(loaded)) == {
        "/do/0/t0/if": ".a",
        "/do/0/t0/with/endpoint": ".uri",
        "/do/0/t0/with/query/q": ".q",
        "/do/0/t0/output/as": ".content",
        "/do/0/t0/timeout/after": ".t",
        "/use/functions/f/set": ".in",
        "/input/from": ".whole",
    }
