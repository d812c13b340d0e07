"""Old ended runs go on request."""

import pytest

from penstock.model.json_value import Json
from tests.server.client import Client, workflow
from tests.server.support import PROBLEM

PATH = "/api/v1/runs:prune"
SET = [{"x": {"set": {"a": 1}}}]
WAIT = [{"w": {"wait": {"days": 1}}}]


async def run_of(client: Client, name: str, do: list[Json], times: int, query: str = "?wait=20") -> list[str]:
    assert (await client.deploy(workflow(name, do))).status in (200, 201)
    answers = [await client.post(f"/api/v1/workflows/tests/{name}/runs{query}", {}) for _ in range(times)]
    return [answer.body["id"] for answer in answers]


async def ids(client: Client) -> set[str]:
    return {run["id"] for run in (await client.get("/api/v1/runs")).body["items"]}


async def test_it_counts_and_then_deletes(client: Client) -> None:
    ended, live = await run_of(client, "short", SET, 3), await run_of(client, "long", WAIT, 1, "")
    counted = await client.post(PATH, {"older_than": "PT0S", "dry_run": True})
    rows = [{"namespace": "tests", "name": "short", "runs": 3}]
    assert (counted.status, counted.body) == (200, {"runs": 3, "workflows": rows, "more": False, "dry_run": True})
    assert await ids(client) == {*ended, *live}
    done = await client.post(PATH, {"older_than": "PT0S", "workflow": "tests/short"})
    assert done.body == {"runs": 3, "workflows": rows, "more": False, "dry_run": False}
    assert await ids(client) == set(live)
    assert (await client.get(f"/api/v1/runs/{ended[0]}")).status == 404


async def test_both_bounds_must_apply(client: Client) -> None:
    await run_of(client, "short", SET, 3)
    assert (await client.post(PATH, {"older_than": "P1D", "keep": 0})).body["runs"] == 0
    assert (await client.post(PATH, {"older_than": "PT0S", "keep": 2})).body["runs"] == 1
    assert (await client.post(PATH, {"keep": 1})).body["runs"] == 1
    assert len(await ids(client)) == 1


async def test_without_bounds_nothing_goes_that_is_to_be_kept(client: Client) -> None:
    await run_of(client, "short", SET, 2)
    assert (await client.send("POST", PATH)).body["runs"] == 0
    assert (await client.post(PATH, {})).body["runs"] == 0
    assert len(await ids(client)) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"older_then": "P1D"}, "'older_then' is not known"),
        ({"older_than": "30 days"}, "older_than"),
        ({"older_than": 30}, "older_than"),
        ({"older_than": {"days": 1}}, "older_than"),
        ({"keep": -1}, "keep"),
        ({"keep": True}, "keep"),
        ({"keep": "3"}, "keep"),
        ({"keep": 1_000_001}, "keep"),
        ({"workflow": "short"}, "workflow"),
        ({"workflow": "tests/short:1.0.0"}, "workflow"),
        ({"keep": 0, "dry_run": "yes"}, "dry_run"),
        ([], "must be a JSON object"),
    ],
)
async def test_what_is_not_understood_deletes_nothing(client: Client, body: Json, said: str) -> None:
    await run_of(client, "short", SET, 1)
    answer = await client.post(PATH, body)
    assert (answer.status, answer.media) == (400, PROBLEM)
    assert said in answer.body["detail"]
    assert len(await ids(client)) == 1
