"""A definition's notation is told by its outermost keys."""

import pytest

from penstock.model.json_value import Json
from penstock.notations import detect, refusal
from tests.conformance_data import conformance_dir, conformance_json


@pytest.mark.parametrize(
    ("data", "notation"),
    [
        ({"document": {}, "do": []}, "dsl"),
        ({"do": []}, "dsl"),
        ({"name": "a", "address": "http://a/"}, "machinery-service"),
        ({"name": "a", "services": []}, "machinery-workflow"),
        ({"name": "a", "spec": {"services": []}}, "machinery-workflow"),
        ({"apiVersion": "spec.keptn.sh/0.2.2", "kind": "Shipyard", "spec": {"stages": []}}, "shipyard"),
        ({"name": "a", "nodes": []}, "node-graph"),
        ({}, None),
        ([], None),
        ("text", None),
        ({"name": "a"}, None),
    ],
)
def test_notations_are_told_apart(data: Json, notation: str | None) -> None:
    assert detect(data) == notation


def test_the_examples_of_each_notation_are_recognised() -> None:
    machinery = conformance_dir("machinery", "examples")
    for folder in (".", "older-v0-spec", "older-v1-flat-map"):
        assert detect(conformance_json("machinery", "examples", folder, "service-upper.json")) == "machinery-service"
        workflow = conformance_json("machinery", "examples", folder, "workflow-process-text.json")
        assert detect(workflow) == "machinery-workflow"
    assert machinery.is_dir()
    for path in sorted(conformance_dir("wat").glob("0*.json")):
        assert detect(conformance_json("wat", path.name)["definition"]) == "node-graph"


def test_what_does_not_run_yet_is_refused_by_name() -> None:
    assert refusal("dsl") is None
    assert refusal("machinery-workflow") is None
    assert "shipyard" in (refusal("shipyard") or "")
    assert "node-graph" in (refusal("node-graph") or "")
