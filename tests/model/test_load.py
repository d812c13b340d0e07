"""Whole documents: every example loads, every invalid one says where, and nothing makes the loader raise."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model import load_data, load_document
from penstock.model.limits import MAX_DIAGNOSTICS, MAX_TASKS
from tests.conformance_data import conformance_dir
from tests.model.documents import HEAD, codes, document, load, text

FOLDERS = ("serverless-workflow", "open-workflow-2026-07")


def examples(kind: str) -> list[Path]:
    return [path for folder in FOLDERS for path in sorted(conformance_dir(folder, kind).glob("*.yaml"))]


@pytest.mark.parametrize("path", examples("examples"), ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_an_example_of_the_specification_loads_without_a_finding(path: Path) -> None:
    loaded = load_document(path.read_bytes(), name=path.name)
    assert [found.render(path.name) for found in loaded.diagnostics] == []
    assert loaded.workflow is not None
    assert loaded.workflow.definition["do"] == loaded.source.data["do"]


@pytest.mark.parametrize("path", examples("invalid"), ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_an_invalid_document_of_the_specification_is_refused_with_a_place(path: Path) -> None:
    loaded = load_document(path.read_bytes(), name=path.name)
    assert loaded.workflow is None
    assert loaded.errors
    assert all(found.line > 1 for found in loaded.errors)


def test_a_finding_is_written_as_compilers_do() -> None:
    loaded = text("do:\n  - a:\n      sett: {x: 1}\n")
    [found] = loaded.errors
    assert found.render(loaded.source.name) == (
        "sample.yaml:3:5: error: a task has exactly one of call, do, emit, for, fork, listen, raise, run, set, "
        "switch, try, wait (did you mean 'set'?)"
    )


def test_all_mistakes_are_found_in_one_pass_in_the_order_of_the_text() -> None:
    loaded = text(
        "do:\n"
        "  - a: {set: {x: 1}, then: c}\n"
        "  - b:\n"
        "      call: http\n"
        "      with: {methd: get, endpoint: 'http://x y'}\n"
        "      timeout: slow\n"
        "  - a: {wait: soon}\n"
    )
    assert [(found.line, found.code) for found in loaded.errors] == [
        (3, "unknown-target"),
        (6, "missing-key"),
        (6, "unknown-key"),
        (6, "uri"),
        (7, "unknown-reference"),
        (8, "duplicate-name"),
        (8, "duration"),
    ]
    assert "did you mean 'method'?" in "".join(found.message for found in loaded.errors)


def test_findings_are_limited() -> None:
    loaded = load(*[{"set": {"a": 1}, f"key{index}": 1} for index in range(MAX_DIAGNOSTICS + 50)])
    assert len(loaded.diagnostics) == MAX_DIAGNOSTICS
    assert loaded.diagnostics[-1].code == "too-many"
    assert not loaded.valid


def test_the_number_of_tasks_is_limited() -> None:
    branch = {"do": [{f"t{index}": {"wait": "PT0S"}} for index in range(99)]}
    tasks = [{f"block{index}": branch} for index in range(MAX_TASKS // 100)]
    assert load(*tasks).valid
    assert codes(load(*tasks, {"set": {"a": 1}})) == ["too-large"]


def test_an_unreadable_text_is_one_finding() -> None:
    loaded = load_document("a: [", name="x.yaml")
    assert loaded.workflow is None
    assert [found.code for found in loaded.errors] == ["syntax"]
    assert str(loaded.errors[0]).startswith("<document>:1:")


@pytest.mark.parametrize("key", ["dsl", "namespace", "name", "version"])
def test_the_head_is_required(key: str) -> None:
    head = {name: value for name, value in HEAD.items() if name != key}
    assert codes(load_data({"document": head, "do": []})) == ["missing-key"]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("name", "Not a label", "dns-label"),
        ("name", "a" * 64, "dns-label"),
        ("namespace", "-a", "dns-label"),
        ("version", "1.0", "semver"),
        ("version", 1.0, "type"),
        ("version", "01.0.0", "semver"),
        ("version", "1.0.0-" + "a" * 300, "semver"),
        ("dsl", "0.8.0", "dsl-version"),
        ("dsl", "2.0.0", "dsl-version"),
        ("title", 5, "type"),
        ("tags", [], "type"),
        ("summery", "x", "unknown-key"),
    ],
)
def test_the_head_is_checked(key: str, value: object, code: str) -> None:
    assert codes(load_data({"document": {**HEAD, key: value}, "do": []})) == [code]


def test_the_head_and_the_rest_are_read() -> None:
    head = {
        **HEAD,
        "version": "1.0.0-rc.1+b",
        "title": "T",
        "summary": "S",
        "tags": {"a": "b"},
        "metadata": {"x": 1},
    }
    loaded = load_data({"document": head, "do": [], "evaluate": {"mode": "loose"}, "timeout": {"after": "PT1M"}})
    workflow = loaded.workflow
    assert workflow is not None
    assert str(workflow.identity) == "tests/sample:1.0.0-rc.1+b"
    assert (workflow.title, workflow.summary, workflow.tags, workflow.mode) == ("T", "S", {"a": "b"}, "loose")
    assert workflow.timeout is not None
    assert workflow.timeout.ms == 60_000


@pytest.mark.parametrize(
    "use",
    [
        "${ $secrets.other }",
        "${ $secrets.known + $secret.other }",
        '${ $secrets["other"] }',
        "${ $secrets. other }",
    ],
)
def test_a_secret_that_is_not_declared_is_an_error(use: str) -> None:
    loaded = load({"set": {"a": use}}, use={"secrets": ["known"]})
    assert codes(loaded) == ["unknown-secret"]
    assert loaded.errors[0].pointer == "/do/0/t0/set/a"


def test_declared_secrets_are_no_error() -> None:
    texts = {"a": "${ $secrets.known }", "b": '${ $secrets["my-key"].x }'}
    assert load({"set": texts}, use={"secrets": ["known", "my-key"]}).valid


def test_expressions_and_look_alikes_are_noted() -> None:
    loaded = load(
        {"if": ".a", "set": {"x": "${ .b }", "y": ["${\n .c\n}"], "z": ".d", "w": "t ${ .e }", "v": "plain"}},
        {"call": "http", "with": {"method": "get", "endpoint": "${ .f }", "body": "${ .g }"}},
    )
    assert {(site.text.strip(), site.kind) for site in loaded.expressions} == {
        (".a", "condition"),
        ("${ .b }", "value"),
        ("${\n .c\n}", "value"),
        ("${ .f }", "call"),
        ("${ .g }", "call"),
    }
    assert {site.text for site in loaded.texts} == {".d", "t ${ .e }"}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["", "${ .a }", ".a", "http", "continue", "t0", "PT1S", "1.0.0", "http://a/{b}", "x" * 70, "\ud800"]
    )
)
WORDS = (
    "document do use dsl namespace name version call with set for in each while fork branches try catch "
    "errors retry when then if input output export from as schema resource document timeout after wait "
    "listen to one all any until correlate emit event raise error type status run workflow container "
    "script shell switch method endpoint uri authentication basic bearer oauth2 oidc digest secrets "
    "functions extensions extend before timeouts schedule on limit attempt count duration jitter backoff "
    "foreach metadata evaluate seconds t0 t1 "
)
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(ANYTHING)
def test_any_data_ends_in_a_workflow_or_in_errors(data: object) -> None:
    loaded = load_data(data)
    assert (loaded.workflow is None) == bool(loaded.errors)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["t0", "t1"]), st.dictionaries(KEYS, ANYTHING, max_size=4)),
        max_size=3,
    )
)
def test_any_tasks_end_in_a_workflow_or_in_errors(tasks: list[object]) -> None:
    loaded = load_data({"document": HEAD, "do": tasks})
    assert (loaded.workflow is None) == bool(loaded.errors)
    assert all(found.pointer == "" or found.pointer.startswith("/") for found in loaded.diagnostics)


def test_loading_twice_gives_equal_workflows() -> None:
    data = document({"set": {"a": "${ .b }"}}, {"wait": {"seconds": 1}})
    assert load_data(data).workflow == load_data(data).workflow
