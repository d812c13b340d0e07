"""The document of a machinery workflow: valid, and its expressions do what the notation promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.expressions import compile_expression, strip_wrapper
from penstock.model import load_data, refusals
from penstock.model.json_value import Json
from penstock.notations import (
    DataField,
    Operation,
    WorkflowDefinition,
    check_workflow,
    expressions_of,
    label_of,
    missing_inputs,
    read_workflow,
    to_document,
    unwrap_event,
)
from tests.conformance_data import conformance_json

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "http",
        "a:1.0.0",
        "a@b",
        "https://x/y",
        "continue",
        "end",
        'a"b',
        "\\(1)",
        "}",
        "${ .x }",
        "a (2)",
        "machinery--a",
    ]
)


def value_of(text: str, dot: Json, **variables: Json) -> Json:
    inside = strip_wrapper(text)
    assert inside is not None
    expression = compile_expression(inside)
    assert expression.native
    return expression.evaluate(dot, variables)


def run(document: Json, event: Json, answers: list[Json]) -> tuple[list[Json], Json]:
    """What each service would be sent, and the output, computed by the document's own expressions."""
    requests: list[Json] = []
    data = event
    for item, answer in zip(document["do"], answers, strict=True):
        [task] = item.values()
        arguments = task.get("with")
        requests.append(data if arguments is None else {key: value_of(text, data) for key, text in arguments.items()})
        data = value_of(task["output"]["as"], answer, input=data)
    return requests, data


def definition(*services: str, operations: tuple[Operation, ...] = ()) -> WorkflowDefinition:
    return WorkflowDefinition("w", services, operations=operations)


def test_answers_are_merged_and_feed_the_next_service() -> None:
    requests, output = run(
        to_document(definition("a", "b", "c"), "1.0.0"), {"e": 0, "x": 0}, [{"x": 1}, {"y": 2}, {"x": 3}]
    )
    assert requests == [{"e": 0, "x": 0}, {"x": 1}, {"x": 1, "y": 2}]
    assert output == {"x": 3, "y": 2}


@pytest.mark.mission("M065")
def test_operations_fill_space_count() -> None:
    data = conformance_json("machinery", "examples", "workflow-process-text.json")
    read = read_workflow({**data, "operations": {"space-counter": {"outputs": {"space_count": "message"}}}})
    assert isinstance(read, WorkflowDefinition)
    _, output = run(
        to_document(read, "1.0.0"), {"message": "a b"}, [{"message": "A B"}, {"message": "B A"}, {"message": 1}]
    )
    assert output == {"message": "B A", "space_count": 1}


def test_operations_pick_and_rename_the_request() -> None:
    operations = (Operation(0, {"text": "message"}, None), Operation(1, {}, {}))
    requests, output = run(
        to_document(definition("a", "b", operations=operations), "1.0.0"),
        {"message": "m", "z": 1},
        [{"x": 1}, {"y": 2}],
    )
    assert requests == [{"text": "m"}, {}]
    assert output == {"x": 1}


def test_a_workflow_without_services_answers_with_nothing() -> None:
    document = to_document(definition(), "1.0.0")
    assert load_data(document).valid
    assert value_of(document["output"]["as"], {"event": 1}) == {}


def test_the_names_that_people_chose_are_kept() -> None:
    document = to_document(WorkflowDefinition("Process Text!", ("to upper", "to upper")), "1.2.3")
    assert document["document"]["name"] == label_of("Process Text!")
    assert document["document"]["metadata"] == {"machinery": {"name": "Process Text!"}}
    assert [list(item) for item in document["do"]] == [["to upper"], ["to upper (2)"]]
    assert [task["metadata"]["service"] for item in document["do"] for task in item.values()] == ["to upper"] * 2
    assert [task["call"] for item in document["do"] for task in item.values()] == [label_of("to upper")] * 2


@given(NAMES, st.lists(NAMES, max_size=4), st.dictionaries(NAMES, NAMES, max_size=3))
def test_every_definition_gives_a_valid_native_document(
    name: str, services: list[str], mapping: dict[str, str]
) -> None:
    operations = tuple(Operation(index, mapping, mapping) for index in range(len(services)))
    document = to_document(WorkflowDefinition(name, tuple(services), operations=operations), "1.0.0")
    loaded = load_data(document)
    assert loaded.workflow is not None, [str(found) for found in loaded.errors]
    assert refusals(loaded) == []
    assert [found for found in check_workflow(loaded) if found.severity == "error"] == []
    assert {use.construct for use in loaded.constructs} <= {"call-capability", "schema"}
    assert all(compile_expression(text).native for _, text in expressions_of(loaded.workflow))


@given(st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, st.integers(0, 9), max_size=4))
def test_any_key_can_be_mapped(mapping: dict[str, str], data: dict[str, int]) -> None:
    document = to_document(definition("a", operations=(Operation(0, mapping, mapping),)), "1.0.0")
    expected = {key: data.get(source) for key, source in mapping.items()}
    assert run(document, data, [data]) == ([expected], expected)


@given(st.lists(NAMES, unique=True, min_size=2, max_size=6))
def test_labels_of_different_names_differ(names: list[str]) -> None:
    labels = [label_of(name) for name in names]
    assert len(set(labels)) == len(names)
    assert [label_of(name) for name in names] == labels


@pytest.mark.parametrize("name", ["upper", "space-counter", "A1"])
def test_a_name_that_is_a_free_label_is_kept(name: str) -> None:
    assert label_of(name) == name


@pytest.mark.parametrize("name", ["", "http", "human", "a b", "machinery--x", "a_b", "x" * 64, "é"])
def test_any_other_name_gets_a_label_that_no_name_can_have(name: str) -> None:
    assert label_of(name).startswith("machinery--")
    assert label_of(label_of(name)) != label_of(name)


@pytest.mark.mission("M096")
@pytest.mark.parametrize(
    ("inputs", "body", "event"),
    [
        ((), {"data": {"m": 1}}, {"m": 1}),
        ((), {"data": {"m": 1}, "x": 2}, {"data": {"m": 1}, "x": 2}),
        ((), {"data": 5}, {"data": 5}),
        ((), {"m": 1}, {"m": 1}),
        (("data",), {"data": {"m": 1}}, {"data": {"m": 1}}),
        ((), [1], [1]),
    ],
)
def test_the_data_envelope_of_an_event_is_taken_off(inputs: tuple[str, ...], body: Json, event: Json) -> None:
    declared = tuple(DataField(name, "string") for name in inputs)
    assert unwrap_event(WorkflowDefinition("w", (), declared), body) == event


def test_declared_inputs_that_are_missing_are_named() -> None:
    declared = WorkflowDefinition("w", (), (DataField("a", "string"), DataField("b", "int")))
    assert missing_inputs(declared, {"a": None, "c": 1}) == ["b"]
    assert missing_inputs(declared, {"a": 1, "b": "not an int"}) == []
    assert missing_inputs(declared, [1]) == ["a", "b"]
