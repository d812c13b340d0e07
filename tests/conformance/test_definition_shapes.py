"""The three shapes of machinery definitions load and give equal runs (mission row M095)."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir

from .support.client import Api, api_client
from .support.server import running_server
from .support.services import MACHINERY_SERVICES, ServiceBases

EXAMPLES = conformance_dir() / "machinery" / "examples"
SHAPES = {
    "flat-lists": EXAMPLES,
    "spec-maps": EXAMPLES / "older-v0-spec",
    "flat-maps": EXAMPLES / "older-v1-flat-map",
}
NUMBER_OF_SPACES = 7
"""In the text of `event-text.json`; it survives upper case and reversing."""


class Outcome(NamedTuple):
    """What one shape's run showed, without ids and times."""

    answer: Json
    status: str
    output: Json
    tasks: list[tuple[str, str]]


def _definition(folder: Path, name: str) -> Json:
    return json.loads((folder / f"{name}.json").read_text("utf8"))


async def _outcome(api: Api, folder: Path, services: ServiceBases) -> Outcome:
    for name in MACHINERY_SERVICES:
        service = _definition(folder, f"service-{name}") | {"address": f"{services[name]}/event"}
        (await api.send_json("POST", "/s", service)).expect(201)
    workflow = await api.send_json("POST", "/w", _definition(folder, "workflow-process-text"))
    workflow_id = workflow.expect(201).body["workflow_id"]
    answer = await api.send_json("POST", f"/e/{workflow_id}", _definition(folder, "event-text"))
    answered = answer.expect(201).body
    runs = await api.items("/api/v1/runs")
    assert len(runs) == 1, f"runs: expected one, actual {runs!r}"
    run = await api.run(runs[0]["id"])
    return Outcome(answered, run["status"], run["output"], [(t["name"], t["status"]) for t in run["tasks"]])


async def _outcome_of(shape: str, directory: Path, services: ServiceBases) -> Outcome:
    async with running_server(directory) as base_url, api_client(base_url) as api:
        return await _outcome(api, SHAPES[shape], services)


@pytest.mark.mission("M095")
@pytest.mark.parametrize("shape", SHAPES)
async def test_shape_runs(shape: str, tmp_path: Path, services: ServiceBases) -> None:
    outcome = await _outcome_of(shape, tmp_path, services)
    assert outcome.status == "completed", f"{shape}: status: expected 'completed', actual {outcome!r}"
    assert outcome.answer == {"message": NUMBER_OF_SPACES}, (
        f"{shape}: answer: expected {NUMBER_OF_SPACES} spaces, actual {outcome.answer!r}"
    )


@pytest.mark.mission("M095")
async def test_shapes_give_equal_runs(tmp_path: Path, services: ServiceBases) -> None:
    outcomes = {shape: await _outcome_of(shape, tmp_path, services) for shape in SHAPES}
    first = next(iter(outcomes.values()))
    unequal = {shape: outcome for shape, outcome in outcomes.items() if outcome != first}
    assert not unequal, f"runs of the three shapes: expected each {first!r}, actual {unequal!r}"


@pytest.mark.mission("M095")
@pytest.mark.parametrize("name", MACHINERY_SERVICES)
async def test_example_address_is_accepted_as_it_stands(name: str, api: Api) -> None:
    for shape, folder in SHAPES.items():
        answer = await api.send_json("POST", "/s", _definition(folder, f"service-{name}"))
        assert answer.status == 201, f"{shape}, service {name}: status: expected 201, actual {answer}"
