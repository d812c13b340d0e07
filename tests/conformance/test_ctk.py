"""The CNCF conformance test kit: every scenario of both editions, none skipped."""

from pathlib import Path

import pytest

from tests.conformance_data import conformance_dir

from .support.client import Api
from .support.ctk_steps import World, perform
from .support.gherkin import Scenario, read_scenarios
from .support.public_hosts import public_hosts

EDITIONS = {
    "serverless-workflow": conformance_dir() / "serverless-workflow" / "ctk" / "features",
    "open-workflow-2026-07": conformance_dir() / "open-workflow-2026-07" / "features",
}


def _scenarios(features: Path) -> list[Scenario]:
    return [scenario for path in sorted(features.glob("*.feature")) for scenario in read_scenarios(path)]


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=f"{edition}-{scenario.feature}-{scenario.name.replace(' ', '-')}")
        for edition, features in EDITIONS.items()
        for scenario in _scenarios(features)
    ],
)
async def test_scenario(scenario: Scenario, api: Api) -> None:
    async with public_hosts() as hosts:
        await perform(scenario, World(api, hosts))
