"""The definitions of the conformance cases load exactly when one of the two published schemas accepts them."""

import json

import pytest

from penstock.model import bounds, load_data, refusals
from penstock.model.json_value import Json
from penstock.notations import check_workflow
from tests.conformance_data import conformance_dir


def cases() -> list[Json]:
    read: list[Json] = []
    for path in sorted(conformance_dir("serverless-workflow", "cases").glob("*.json")):
        text = path.read_text(encoding="utf-8")
        for placeholder, value in (('"{{grpc_port}}"', "99"), ("{{port}}", "8080"), ("{{closed_port}}", "8081")):
            text = text.replace(placeholder, value)
        read.append(json.loads(text))
    return read


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_a_definition_loads_exactly_when_a_schema_accepts_it(case: Json) -> None:
    loaded = load_data(case["workflow"])
    assert loaded.valid == any(case["schema_valid"].values()), [str(found) for found in loaded.errors]
    if loaded.workflow is not None:
        assert [found for found in check_workflow(loaded) if found.severity == "error"] == []
        assert all(found.pointer.startswith("/") for found in refusals(loaded))
        assert bounds(loaded.workflow).steps != 0
