"""Tools that fetch their work, over HTTP."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from penstock.model.json_value import Json
from penstock.runtime.settings import Settings
from penstock.server.app import serve
from tests.server.client import Client, client_of
from tests.server.tasks_by_event import (
    deployed,
    ended,
    one_pulled,
    pulled,
    registered,
    said,
    say,
    started,
    told,
    types_of,
)

PATIENCE_S = 20


@pytest.mark.mission("M031", "M032", "M033", "M036")
async def test_a_task_is_fetched_begun_followed_and_finished(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "follow")
    waiting = asyncio.create_task(one_pulled(client, "checker"))
    run_id = await started(client, "follow", {"number": 11})
    task = await waiting
    assert (task["specversion"], task["type"], task["data"]) == ("1.0", "checknumber.triggered", {"number": 11})
    assert (task["source"], task["penstockrun"]) == (f"/penstock/runs/{run_id}", run_id)
    assert (task["penstocktool"], task["penstocklease"]) == ("checker", 1)
    await say(client, task, "started")
    await told(client, run_id, "task.tool_started")
    await say(client, task, "status.changed", percent=50)
    progress = await told(client, run_id, "task.progress")
    assert progress["data"]["detail"]["data"] == {"percent": 50}
    assert (await client.get(f"/api/v1/runs/{run_id}")).body["status"] == "running"
    await say(client, task, "finished", prime=True)
    run = await ended(client, run_id)
    assert (run["status"], run["output"]) == ("completed", {"prime": True})
    assert await types_of(client, run_id) == [
        "checknumber.triggered",
        "checknumber.started",
        "checknumber.status.changed",
        "checknumber.finished",
    ]
    assert (await client.get("/api/v1/tools/checker/letters")).body["items"] == []


@pytest.mark.mission("M034")
async def test_the_next_task_is_announced_after_the_one_before_has_finished(client: Client) -> None:
    for name in ("extract", "geolookup"):
        await registered(client, name, capability=name, prefix="sh.keptn.event.")
    await deployed(client, "photo", {"a": {"call": "extract"}}, {"b": {"call": "geolookup"}})
    run_id = await started(client, "photo")
    task = await one_pulled(client, "extract")
    await say(client, task, "started")
    await told(client, run_id, "task.tool_started")
    assert await pulled(client, "geolookup", "wait=0") == []
    assert "sh.keptn.event.geolookup.triggered" not in await types_of(client, run_id)
    await say(client, task, "finished", place="here")
    following = await one_pulled(client, "geolookup")
    assert (following["type"], following["data"]) == ("sh.keptn.event.geolookup.triggered", {"place": "here"})
    await say(client, following, "finished", country="DE")
    assert (await ended(client, run_id))["output"] == {"country": "DE"}


async def test_several_pullers_share_the_work(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "shared")
    waiting = [asyncio.create_task(one_pulled(client, "checker")) for _ in range(5)]
    runs = [await started(client, "shared") for _ in range(5)]
    tasks = await asyncio.gather(*waiting)
    assert sorted(task["penstockrun"] for task in tasks) == sorted(runs)
    assert await pulled(client, "checker", "wait=0") == []
    for task in tasks:
        await say(client, task, "finished", of=task["penstockrun"])
    outputs = [(await ended(client, run_id))["output"] for run_id in runs]
    assert outputs == [{"of": run_id} for run_id in runs]


@pytest.mark.mission("M116")
async def test_the_work_of_a_puller_that_died_goes_to_the_next(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "dies")
    run_id = await started(client, "dies")
    first = await one_pulled(client, "checker", "wait=20&lease=1")
    await say(client, first, "started")
    second = await one_pulled(client, "checker", "wait=20&lease=60")
    assert (second["id"], second["penstocklease"]) == (first["id"], first["penstocklease"] + 1)
    await say(client, second, "started")
    await say(client, first, "finished", by="first")
    await told(client, run_id, "task.superseded")
    assert (await client.get(f"/api/v1/runs/{run_id}")).body["status"] == "running"
    await say(client, second, "finished", by="second")
    assert (await ended(client, run_id))["output"] == {"by": "second"}


async def test_a_lease_is_renewed_by_signs_of_life(client: Client) -> None:
    await registered(client, "checker", {"kind": "pull", "lease": "PT1S"})
    await deployed(client, "lives")
    await started(client, "lives")
    task = await one_pulled(client, "checker")

    async def until() -> str:
        return (await client.get("/api/v1/tools/checker/letters")).body["items"][0]["due_at"]

    first = await until()
    async with asyncio.timeout(PATIENCE_S):
        while await until() == first:  # signs that come at once change nothing: the lease is still new
            await say(client, task, "status.changed", at=first)
            await asyncio.sleep(0.05)
    assert await pulled(client, "checker", "wait=0") == []


async def test_a_lease_is_renewed_and_ended_by_its_number(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "by-number")
    await started(client, "by-number")
    task = await one_pulled(client, "checker")
    path = f"/api/v1/tools/checker/work/{task['id']}"
    renewed = await client.post(f"{path}:renew?penstocklease=1&lease=600")
    letter = (await client.get("/api/v1/tools/checker/letters?state=leased")).body["items"][0]
    assert (renewed.status, renewed.body["lease_until"]) == (200, letter["due_at"])
    assert (await client.post(f"{path}:renew?penstocklease=2")).status == 409
    assert (await client.post(f"{path}:renew")).status == 400
    waiting = asyncio.create_task(one_pulled(client, "checker"))
    assert (await client.post(f"{path}:return?penstocklease=1")).status == 204
    assert (await waiting)["penstocklease"] == 2
    assert (await client.post(f"{path}:return?penstocklease=1")).status == 409


async def test_a_long_poll_whose_caller_has_gone_keeps_no_work(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "gone")
    host, _, port = client.base_url.removeprefix("http://").partition(":")
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v1/tools/checker/work?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        assert await pulled(client, "checker", "wait=0") == []
        writer.close()
        await writer.wait_closed()
    await started(client, "gone")
    assert (await one_pulled(client, "checker"))["type"] == "checknumber.triggered"


async def test_a_server_that_stops_answers_those_who_wait(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serve(settings))
        async with client_of(running.base_url) as client:
            await registered(client, "checker")
            waiting = asyncio.create_task(pulled(client, "checker", "wait=60"))
            async with asyncio.timeout(PATIENCE_S):
                while not running.engine._parts.pulling._lines:  # noqa: ASYNC110 - the line is looked at
                    await asyncio.sleep(0.01)
                await stack.aclose()
                assert await waiting == []


async def test_nobody_starts_in_time(client: Client) -> None:
    await registered(client, "checker", start_timeout="PT0.2S")
    await deployed(client, "nobody")
    run = await ended(client, await started(client, "nobody"))
    assert run["status"] == "faulted"
    assert "nobody started 'checknumber'" in run["error"]["detail"]
    assert await pulled(client, "checker", "wait=0") == []


async def test_a_run_that_is_cancelled_tells_its_tools(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "cancels")
    run_id = await started(client, "cancels")
    task = await one_pulled(client, "checker")
    await client.post(f"/api/v1/runs/{run_id}:cancel")
    assert (await ended(client, run_id))["status"] == "cancelled"
    (event,) = [
        event
        for event in (await client.get(f"/api/v1/events?run={run_id}")).body["items"]
        if event["type"] == "checknumber.cancelled"
    ]
    assert event["triggeredid"] == task["id"]
    await say(client, task, "finished", late=True)
    assert (await client.get(f"/api/v1/runs/{run_id}")).body["status"] == "cancelled"


async def test_what_a_tool_says_went_wrong_is_an_error_of_the_task(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "wrong")
    run_id = await started(client, "wrong")
    await say(client, await one_pulled(client, "checker"), "finished", status="errored", message="no such number")
    run = await ended(client, run_id)
    assert (run["status"], run["error"]["detail"]) == ("faulted", "the tool 'checker' errored: no such number")


async def test_several_tools_of_one_capability_and_one_that_joins(client: Client) -> None:
    for name in ("one", "two"):
        await registered(client, name)
    await deployed(client, "several")
    runs = [await started(client, "several") for _ in range(24)]
    tasks = [task for name in ("one", "two") for task in await pulled(client, name, "wait=20&max=100")]
    assert len(tasks) == len(runs), "each call goes to one tool"
    assert {task["penstocktool"] for task in tasks} == {"one", "two"}
    task = tasks[0]
    await say(client, task, "started")
    joins = {**task, "penstocktool": "joins"}
    del joins["penstocklease"]
    await say(client, joins, "started")
    await say(client, task, "finished", a=1)
    assert (await client.get(f"/api/v1/runs/{task['penstockrun']}")).body["status"] == "running"
    await say(client, joins, "finished", b=2)
    assert (await ended(client, task["penstockrun"]))["output"] == {"a": 1, "b": 2}


async def test_a_stream_brings_work_as_it_comes_one_at_a_time(client: Client) -> None:
    await registered(client, "checker")
    await deployed(client, "streams")
    runs = {await started(client, "streams") for _ in range(3)}
    async with client.opened("/api/v1/tools/checker/stream") as frames:
        async for call_id, task in frames:
            assert call_id == task["id"]
            letters = (await client.get("/api/v1/tools/checker/letters?state=leased")).body["items"]
            assert [letter["id"] for letter in letters] == [call_id]
            await say(client, task, "finished", n=len(runs))
            runs.remove((await ended(client, task["penstockrun"]))["id"])
            if not runs:
                break


@pytest.mark.parametrize(
    "query", ["wait=x", "max=0", "max=101", "lease=0.5", "lease=86401", "lease=PT1M", "wait=-1", "max=1&max=2"]
)
async def test_a_wrong_wish_is_refused(client: Client, query: str) -> None:
    await registered(client, "checker")
    assert (await client.get(f"/api/v1/tools/checker/work?{query}")).status == 400


async def test_work_is_for_tools_that_fetch_it(client: Client) -> None:
    await registered(client, "service", {"kind": "http", "endpoint": "http://127.0.0.1:9/"})
    for path in ("work", "stream"):
        answer = await client.get(f"/api/v1/tools/service/{path}")
        assert (answer.status, "pull" in answer.body["detail"]) == (409, True)


async def test_a_tool_with_its_own_token_does_its_own_work_and_no_more(client: Client) -> None:
    await registered(client, "mine")
    await registered(client, "other")
    await deployed(client, "token")
    admin = (await client.post("/api/v1/tokens", {"name": "a", "scopes": ["admin"]})).body["token"]
    async with client_of(client.base_url, token=admin) as operator:
        wish = {"name": "m", "scopes": ["tool:mine"]}
        token = (await operator.post("/api/v1/tokens", wish)).body["token"]
        await operator.send("DELETE", "/api/v1/tools/other")
        run_id = await started(operator, "token")
        async with client_of(client.base_url, token=token) as tool:
            for path in ("/api/v1/tools/other/work", "/api/v1/tools/mine/letters", f"/api/v1/runs/{run_id}"):
                assert (await tool.get(path)).status == 403, path
            task = await one_pulled(tool, "mine")
            forged = said({**task, "penstocktool": "other"}, "finished")
            refused = await tool.send("POST", "/api/v1/events", forged, media="application/cloudevents+json")
            assert refused.status == 403
            await say(tool, task, "finished", done=True)
        output: Json = (await ended(operator, run_id))["output"]
        assert output == {"done": True}
