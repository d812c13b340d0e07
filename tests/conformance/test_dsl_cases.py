"""Every DSL case of the corpus, one test each, through the HTTP interface of a fresh server."""

from pathlib import Path

import pytest

from tests.conformance_data import conformance_dir

from .support.case import Case, accepted_statuses, filled_in, read_cases
from .support.client import Api, api_client
from .support.dsl_run import as_text, deploy_case, refusal_problems, run_case
from .support.expectation import differences
from .support.harness import mock_http
from .support.refusals import refused_constructs
from .support.server import running_server

CASES = read_cases(conformance_dir() / "serverless-workflow" / "cases")
CLOSED_PORTS = {"closed_port": 9, "grpc_port": 9, "port": 9}
"""For cases that name no mock server: nobody listens there."""


def _as_parameter(case: Case) -> object:
    marks = () if case.gates else (pytest.mark.xfail(reason="only one runtime behaves so", strict=False),)
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_as_parameter(case) for case in CASES])
async def test_case(case: Case, tmp_path: Path) -> None:
    async with running_server(tmp_path) as base_url, api_client(base_url) as api:
        if case.uses_mock_server:
            async with mock_http(case.http_mocks) as mock:
                problems = await _problems(api, filled_in(case, mock.values))
                if not refused_constructs(case.workflow):
                    problems += mock.problems(case.expected)
        else:
            problems = await _problems(api, filled_in(case, CLOSED_PORTS))
    assert not problems, f"case {case.name}:\n  " + "\n  ".join(problems)


async def _problems(api: Api, case: Case) -> list[str]:
    answer = await deploy_case(api, case)
    statuses = accepted_statuses(case.expected)
    refusals = refused_constructs(case.workflow)
    if refusals or statuses == ("invalid",):
        # An invalid document is refused for what is wrong with it, which need not be the construct.
        return refusal_problems(answer, as_text(case.workflow), [] if "invalid" in statuses else refusals)
    if "invalid" in statuses and answer.status == 422:
        return refusal_problems(answer, as_text(case.workflow), [])
    answer.expect(201)
    return differences(case.expected, await run_case(api, case))
