"""Runs over HTTP: start, wait, watch, steer, list."""

from collections.abc import AsyncIterator

import pytest

from penstock.model.json_value import Json
from penstock.model.limits import MAX_VALUE_BYTES
from tests.server.client import Client, workflow
from tests.server.http_tool import HttpTool, running_http_tool
from tests.server.support import PROBLEM

DOUBLE = [{"double": {"set": {"result": "${ .number * 2 }"}}}]
LISTEN = [{"hear": {"listen": {"to": {"one": {"with": {"type": "test.go"}}}}}}]
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
async def tool() -> AsyncIterator[HttpTool]:
    async with running_http_tool() as running:
        yield running


def calling(tool: HttpTool, *names: str) -> list[Json]:
    """Tasks that call the tool, one after the other."""
    return [
        {
            name: {
                "call": "http",
                "with": {"method": "post", "endpoint": f"{tool.base_url}/{name}", "body": "${ . }"},
            }
        }
        for name in names
    ]


async def started(client: Client, name: str, do: list[Json], run_input: Json, query: str = "") -> Json:
    """The answer to a start of a new workflow."""
    assert (await client.deploy(workflow(name, do))).status in (200, 201)
    answer = await client.post(f"/api/v1/workflows/tests/{name}/runs{query}", run_input)
    assert answer.status in (200, 202), answer
    return answer.body


@pytest.mark.mission("M003", "M013")
async def test_input_goes_in_and_the_result_comes_out(client: Client) -> None:
    assert (await client.deploy(workflow("double", DOUBLE))).status == 201
    answer = await client.post("/api/v1/workflows/tests/double/runs?wait=20", {"number": 21})
    assert answer.status == 200
    run = answer.body
    assert answer.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["status"], run["input"], run["output"], run["error"]) == (
        "completed",
        {"number": 21},
        {"result": 42},
        None,
    )
    assert run["workflow"] == {"namespace": "tests", "name": "double", "version": "1.0.0"}
    [task] = run["tasks"]
    assert (task["reference"], task["name"], task["status"], task["attempt"]) == (
        "/do/0/double",
        "double",
        "completed",
        1,
    )
    assert run["created_at"] <= run["ended_at"] == run["updated_at"]
    assert (await client.get(f"/api/v1/runs/{run['id']}")).body == run


@pytest.mark.mission("M005")
async def test_a_start_is_acknowledged_before_its_work_is_done(client: Client, tool: HttpTool) -> None:
    tool.released.clear()
    run = await started(client, "slow", calling(tool, "first"), {"n": 1})
    assert run["status"] not in ("completed", "faulted")
    await tool.called.wait()
    now = (await client.get(f"/api/v1/runs/{run['id']}")).body
    assert (now["status"], now["ended_at"]) == (now["status"], None)
    assert now["status"] in ("running", "waiting")
    tool.released.set()
    ended = await client.until_ended(run["id"])
    assert (ended["status"], ended["output"]) == ("completed", {"first": {"n": 1}})


async def test_a_wait_that_is_too_short_is_202(client: Client) -> None:
    await client.deploy(workflow("hear", LISTEN))
    answer = await client.post("/api/v1/workflows/tests/hear/runs?wait=0.05", {})
    assert (answer.status, answer.body["status"]) == (202, "waiting")


async def test_a_fault_is_problem_details_of_the_run(client: Client, tool: HttpTool) -> None:
    tool.status = 500
    run = await started(client, "fails", calling(tool, "first", "second"), {}, "?wait=20")
    assert run["status"] == "faulted"
    assert run["error"]["type"].endswith("/communication")
    assert run["error"]["status"] == 500
    assert run["error"]["instance"] == "/do/0/first"
    assert [name for name, _ in tool.received] == ["first"]


async def test_an_idempotency_key_makes_one_run(client: Client) -> None:
    await client.deploy(workflow("once", DOUBLE))
    path, headers = "/api/v1/workflows/tests/once/runs", {"Idempotency-Key": "key-1"}
    first = await client.post(path, {"number": 1}, headers=headers)
    again = await client.post(path, {"number": 1}, headers=headers)
    assert first.body["id"] == again.body["id"]
    other = await client.post(path, {"number": 2}, headers=headers)
    assert (other.status, other.media) == (409, PROBLEM)


async def test_a_start_is_answered_again_though_its_workflow_was_deleted_since(client: Client) -> None:
    await client.deploy(workflow("gone", DOUBLE))
    path, headers = "/api/v1/workflows/tests/gone/runs", {"Idempotency-Key": "key-1"}
    first = await client.post(path, {"number": 1}, headers=headers)
    await client.send("DELETE", "/api/v1/workflows/tests/gone/1.0.0")
    again = await client.post(path, {"number": 1}, headers=headers)
    assert (again.status, again.body["id"]) == (202, first.body["id"])
    assert (await client.post(path, {"number": 2}, headers=headers)).status == 409
    assert (await client.post(path, {"number": 1})).status == 404


async def test_labels_are_kept_and_found(client: Client) -> None:
    run = await started(client, "labelled", DOUBLE, {"number": 1}, "?label=team:blue&label=stage:dev&wait=20")
    assert run["labels"] == {"team": "blue", "stage": "dev"}
    await started(client, "labelled", DOUBLE, {"number": 1}, "?label=team:red&wait=20")
    for query, found in (
        ("label=team:blue", 1),
        ("label=team:blue&label=stage:prod", 0),
        ("workflow=labelled", 2),
        ("workflow=tests/labelled", 2),
        ("workflow=other/labelled", 0),
        ("status=completed", 2),
        ("status=faulted", 0),
        ("since=2100-01-01T00:00:00Z", 0),
        ("until=2100-01-01T00:00:00%2B01:00", 2),
    ):
        listed = (await client.get(f"/api/v1/runs?{query}")).body["items"]
        assert len(listed) == found, query


async def test_runs_are_listed_newest_first_in_pages(client: Client) -> None:
    ids = [(await started(client, "many", DOUBLE, {"number": 1}))["id"] for _ in range(5)]
    first = (await client.get("/api/v1/runs?limit=3")).body
    second = (await client.get(f"/api/v1/runs?limit=3&cursor={first['next_cursor']}")).body
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        "status=odd",
        "since=yesterday",
        "until=2026-01-01T00:00:00",
        "since=2026-13-01T00:00:00Z",
        "label=novalue",
        "label=:x",
        "cursor=xx",
        "status=%ff",
    ],
)
async def test_bad_filters_are_named(client: Client, query: str) -> None:
    answer = await client.get(f"/api/v1/runs?{query}")
    assert (answer.status, answer.media) == (400, PROBLEM)
    assert query.partition("=")[0] in answer.body["detail"]


@pytest.mark.parametrize("query", ["wait=-1", "wait=x", "wait=nan", "at=now", "version=1", "label=x"])
async def test_bad_starts_are_named(client: Client, query: str) -> None:
    await client.deploy(workflow("start", DOUBLE))
    answer = await client.post(f"/api/v1/workflows/tests/start/runs?{query}", {})
    assert (answer.status, answer.media) == (400, PROBLEM)
    assert query.partition("=")[0] in answer.body["detail"]


async def test_an_input_beyond_the_limit_is_413(client: Client) -> None:
    await client.deploy(workflow("large", [{"nothing": {"set": {"done": True}}}]))
    path = "/api/v1/workflows/tests/large/runs?wait=20"
    assert (await client.post(path, "x" * (MAX_VALUE_BYTES - 2))).status == 200
    answer = await client.post(path, "x" * (MAX_VALUE_BYTES - 1))
    assert (answer.status, answer.media) == (413, PROBLEM)


async def test_control_verbs(client: Client) -> None:
    run_id = (await started(client, "steered", LISTEN, {}, "?wait=0.05"))["id"]
    for verb, status in (("suspend", "suspended"), ("resume", "waiting"), ("cancel", "cancelled")):
        answer = await client.post(f"/api/v1/runs/{run_id}:{verb}")
        assert answer.status == 202, answer
        assert (await client.get(f"/api/v1/runs/{run_id}")).body["status"] == status
    for verb in ("suspend", "resume", "cancel"):
        assert (await client.post(f"/api/v1/runs/{run_id}:{verb}")).status == 409


async def test_retry_makes_a_new_run(client: Client, tool: HttpTool) -> None:
    tool.status = 500
    old = await started(client, "retried", calling(tool, "first", "second"), {"n": 1}, "?wait=20")
    tool.status = 200
    answer = await client.post(f"/api/v1/runs/{old['id']}:retry", {"from": "/do/0/first"})
    assert answer.status == 202, answer
    assert answer.body["retry_of"] == old["id"]
    ended = await client.until_ended(answer.body["id"])
    assert ended["status"] == "completed"
    assert (await client.get(f"/api/v1/runs/{old['id']}")).body["status"] == "faulted"
    assert (await client.post(f"/api/v1/runs/{old['id']}:retry", {"from": 7})).status == 400


async def test_history_state_and_tasks(client: Client) -> None:
    run = await started(client, "seen", [*DOUBLE, {"more": {"set": {"more": True}}}], {"number": 1}, "?wait=20")
    path = f"/api/v1/runs/{run['id']}"
    history = (await client.get(f"{path}/history")).body["items"]
    assert history[0]["type"] == "io.serverlessworkflow.workflow.started.v1"
    assert history[-1]["type"] == "io.serverlessworkflow.workflow.completed.v1"
    assert all(event["specversion"] == "1.0" for event in history)
    tasks = (await client.get(f"{path}/tasks?limit=1")).body
    rest = (await client.get(f"{path}/tasks?limit=1&cursor={tasks['next_cursor']}")).body
    assert [task["name"] for task in tasks["items"] + rest["items"]] == ["double", "more"]
    assert rest["next_cursor"] is None
    state = await client.get(f"{path}/state?seq=1")
    assert (state.status, type(state.body)) == (200, dict)
    assert (await client.get(f"{path}/state?seq=-1")).status == 400


async def test_the_instants_of_a_state_are_rfc_3339_and_its_values_as_they_are(client: Client) -> None:
    run = await started(client, "dated", [{"wait": {"wait": {"hours": 1}}}], {"number": 1, "sent_at": 5})
    state = (await client.get(f"/api/v1/runs/{run['id']}/state")).body
    assert run["created_at"] <= state["started_at"]
    assert state["updated_at"] == run["updated_at"]
    assert state["input"] == {"number": 1, "sent_at": 5}
    assert not [name for frame in state["frames"] for name in frame if name.endswith("_at") and frame[name] == 0]


async def test_a_stream_tells_the_history_and_goes_on_after_an_id(client: Client) -> None:
    run = await started(client, "streamed", DOUBLE, {"number": 1}, "?wait=20")
    path = f"/api/v1/runs/{run['id']}/stream"
    told = [(number, event) async for number, event in client.frames(path)]
    history = (await client.get(f"/api/v1/runs/{run['id']}/history")).body["items"]
    assert [event for _, event in told] == history
    rest = [event async for _, event in client.frames(path, {"Last-Event-ID": told[1][0]})]
    assert rest == history[2:]
    assert (await client.get(path, headers={"Last-Event-ID": "x"})).status == 400


async def test_runs_are_found_by_the_beginning_of_their_id(client: Client) -> None:
    run = await started(client, "double", DOUBLE, {"number": 1}, "?wait=20")
    found = await client.get(f"/api/v1/runs?id_prefix={run['id'][:20]}")
    assert [item["id"] for item in found.body["items"]] == [run["id"]]
    assert (await client.get("/api/v1/runs?id_prefix=ffff")).body["items"] == []
