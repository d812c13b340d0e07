"""Machinery definitions: three shapes, one value; mistakes told field by field, in that surface's own words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.json_value import Json
from penstock.notations import (
    DataField,
    Operation,
    ServiceDefinition,
    WorkflowDefinition,
    read_service,
    read_workflow,
)
from tests.conformance_data import conformance_json

FOLDERS = (".", "older-v0-spec", "older-v1-flat-map")


def cases(path: str) -> list[Json]:
    text = json.dumps(conformance_json("machinery", "http-cases.json")["cases"])
    listed = json.loads(text.replace("${UPPER_BASE}", "http://127.0.0.1:5601"))
    return [
        case
        for case in listed
        if case["target"] == "machinery" and case["request"]["path"] == path and "json" in case["request"]
    ]


def expected_errors(case: Json) -> Json:
    """The error map that the case expects, None when the definition itself is good."""
    expect = {**case["expect"], **case.get("superset_should", {})}
    unknown_services = {"message": "not all services exist"}
    return expect["body"] if expect["status"] == 409 and expect["body"] != unknown_services else None


@pytest.mark.mission("M099")
@pytest.mark.parametrize("case", cases("/s"), ids=lambda case: case["name"])
def test_a_service_is_read_as_the_contract_says(case: Json) -> None:
    check(read_service(case["request"]["json"]), expected_errors(case))


@pytest.mark.mission("M099")
@pytest.mark.parametrize("case", cases("/w"), ids=lambda case: case["name"])
def test_a_workflow_is_read_as_the_contract_says(case: Json) -> None:
    check(read_workflow(case["request"]["json"]), expected_errors(case))


def check(read: object, errors: Json) -> None:
    if errors is None:
        assert not isinstance(read, dict)
    elif "$has" in errors:
        assert isinstance(read, dict)
        assert errors["$has"].items() <= read.items()
    else:
        assert read == errors


def test_the_three_shapes_of_a_workflow_read_to_the_same_value() -> None:
    first, second, third = (
        read_workflow(conformance_json("machinery", "examples", folder, "workflow-process-text.json"))
        for folder in FOLDERS
    )
    assert first == second == third
    assert isinstance(first, WorkflowDefinition)
    assert first.services == ("upper", "reverse", "space-counter")
    assert first.outputs[1] == DataField("space_count", "int", "The number of spaces")


def test_the_three_shapes_of_a_service_read_to_the_same_value() -> None:
    for name in ("upper", "reverse", "space-counter"):
        for folder in FOLDERS:
            read = read_service(conformance_json("machinery", "examples", folder, f"service-{name}.json"))
            assert isinstance(read, ServiceDefinition)
            assert (read.name, [field.name for field in read.inputs]) == (name, ["message"])


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("http://my-service:5000/", True),
        ("https://example.com", True),
        ("http://127.0.0.1:1/x?y=z", True),
        ("http://[::1]:80/", True),
        ("HTTP://EXAMPLE.COM/", True),
        ("ftp://example.com/", False),
        ("upper.local:5000", False),
        ("http://", False),
        ("http:///path", False),
        ("http://a b/", False),
        ("http://a\n/", False),
        ("http://a:99999/", False),
        ("http://[::1/", False),
        ("", False),
    ],
)
def test_any_http_host_is_a_good_address(address: str, good: bool) -> None:
    read = read_service({"name": "a", "address": address})
    assert isinstance(read, ServiceDefinition) if good else read == {"address": ["Not a valid URL."]}


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"spec": {"inputs": {"m": {}}}}, {"spec": {"inputs": {"m": {"type": ["Missing data for required field."]}}}}),
        ({"spec": {"zz": 1}}, {"spec": {"zz": ["Unknown field."]}}),
        ({"spec": []}, {"spec": ["Not a valid mapping type."]}),
        ({"spec": None}, {"spec": ["Field may not be null."]}),
        ({"inputs": {"m": {"type": "s", "name": "m"}}}, {"inputs": {"m": {"name": ["Unknown field."]}}}),
        ({"inputs": [5]}, {"inputs": {"0": {"_schema": ["Invalid input type."]}}}),
        ({"inputs": None}, {"inputs": ["Field may not be null."]}),
        ({"outputs": "x"}, {"outputs": ["Not a valid list."]}),
        (
            {"outputs": [{"name": "a", "type": "b", "description": 5}]},
            {"outputs": {"0": {"description": ["Not a valid string."]}}},
        ),
        ({"name": "x" * 300}, {"name": ["Longer than the maximum length."]}),
    ],
)
def test_mistakes_in_a_service_are_nested_where_they_are(data: Json, errors: Json) -> None:
    assert read_service({"name": "a", "address": "http://a/", **data}) == errors


def test_mistakes_in_the_spec_of_a_workflow_are_nested_there() -> None:
    assert read_workflow({"name": "a", "spec": {}}) == {"spec": {"services": ["Missing data for required field."]}}
    assert read_workflow({"name": "a", "spec": 5}) == {"spec": ["Not a valid mapping type."]}


def workflow(operations: Json, *services: str) -> Json:
    return read_workflow({"name": "w", "services": list(services or ("a", "b")), "operations": operations})


@pytest.mark.parametrize("operations", [{}, [], None])
def test_empty_operations_mean_nothing(operations: Json) -> None:
    assert workflow(operations).operations == ()


def test_operations_map_by_service_name() -> None:
    mapping = {"inputs": {"text": "message"}, "outputs": {"count": "message"}}
    assert workflow({"b": mapping}).operations == (Operation(1, {"text": "message"}, {"count": "message"}),)
    assert [operation.index for operation in workflow({"a": mapping}, "a", "b", "a").operations] == [0, 2]


def test_operations_as_a_list_name_a_service_or_its_index() -> None:
    listed = [{"service": "b", "outputs": {"x": "y"}}, {"service": 2, "inputs": {}}]
    assert workflow(listed, "a", "b", "a").operations == (Operation(1, None, {"x": "y"}), Operation(2, {}, None))


@pytest.mark.parametrize(
    ("operations", "errors"),
    [
        ({"c": {}}, {"c": ["Unknown service."]}),
        ({"b": 5}, {"b": {"_schema": ["Invalid input type."]}}),
        ({"b": {"rename": {}}}, {"b": {"rename": ["Unknown field."]}}),
        ({"b": {"inputs": []}}, {"b": {"inputs": ["Not a valid mapping type."]}}),
        ({"b": {"inputs": None}}, {"b": {"inputs": ["Field may not be null."]}}),
        ({"b": {"outputs": {"x": 5}}}, {"b": {"outputs": {"x": ["Not a valid string."]}}}),
        ([{"outputs": {}}], {"0": {"service": ["Missing data for required field."]}}),
        ([{"service": 3}], {"0": {"service": ["Unknown service."]}}),
        ([{"service": -1}], {"0": {"service": ["Unknown service."]}}),
        ([{"service": True}], {"0": {"service": ["Unknown service."]}}),
        ([{"service": "a"}], {"0": {"service": ["The service is called more than once; give its index in services."]}}),
        ([{"service": 1}, {"service": "b"}], {"1": {"service": ["There is already an operation for this service."]}}),
        ([5], {"0": {"_schema": ["Invalid input type."]}}),
        ("x", ["Invalid input type."]),
        (5, ["Invalid input type."]),
    ],
)
def test_wrong_operations_are_told_by_their_place(operations: Json, errors: Json) -> None:
    assert workflow(operations, "a", "b", "a") == {"operations": errors}


KEYS = st.sampled_from(
    ["name", "address", "spec", "services", "inputs", "outputs", "operations", "service", "type", "a"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["a", "", "http://a/", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ANYTHING, max_size=6) | ANYTHING)
def test_any_data_is_a_definition_or_an_error_map(data: Json) -> None:
    service, workflow = read_service(data), read_workflow(data)
    assert isinstance(service, ServiceDefinition) or service
    assert isinstance(workflow, WorkflowDefinition) or workflow
