"""Tools that are told of their work, over HTTP."""

import asyncio
import hmac
import json

from penstock.model.json_value import Json
from tests.server.client import Client
from tests.server.tasks_by_event import EVENT, deployed, ended, pushed_tool, registered, say, started

PATIENCE_S = 20


async def letters(client: Client, state: str, count: int = 1) -> list[Json]:
    """The work of the tool in this state, once there is so much."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = (await client.get(f"/api/v1/tools/checker/letters?state={state}")).body["items"]
            if len(found) == count:
                return found
            await asyncio.sleep(0.02)


async def test_a_task_is_pushed_signed_until_it_is_taken(client: Client) -> None:
    await client.send("PUT", "/api/v1/secrets/key", {"value": "hush hush"})
    async with pushed_tool() as tool:
        tool.statuses, tool.engine = [503], client
        transport = {"kind": "push", "url": tool.url, "secret": "key", "headers": {"X-Team": "a"}}
        await registered(client, "checker", transport)
        await deployed(client, "pushed")
        run_id = await started(client, "pushed", {"number": 5})
        assert (await ended(client, run_id))["output"] == {"ok": True}
    assert len(tool.received) == 2, "once refused, once taken"
    for headers, body in tool.received:
        event = json.loads(body)
        assert (event["type"], event["data"], event["penstocktool"]) == (
            "checknumber.triggered",
            {"number": 5},
            "checker",
        )
        assert "penstocklease" not in event
        assert (headers["Content-Type"], headers["X-Team"]) == (EVENT, "a")
        at, _, given = headers["Penstock-Signature"].removeprefix("t=").partition(",v1=")
        assert given == hmac.new(b"hush hush", at.encode() + b"." + body, "sha256").hexdigest()
        assert headers["Idempotency-Key"] == event["id"]
    assert tool.received[0][1] == tool.received[1][1], "the same event, each time"


async def test_what_is_taken_is_sent_no_more_and_waits_for_its_answer(client: Client) -> None:
    async with pushed_tool() as tool:
        await registered(client, "checker", {"kind": "push", "url": tool.url})
        await deployed(client, "taken")
        run_id = await started(client, "taken")
        (letter,) = await letters(client, "sent")
        assert (letter["attempts"], letter["reason"], letter["run"]) == (1, "", run_id)
        ((_, body),) = tool.received
        await say(client, json.loads(body), "finished", done=True)
        assert (await ended(client, run_id))["output"] == {"done": True}
        assert (await client.get("/api/v1/tools/checker/letters")).body["items"] == []


async def test_a_dead_letter_is_kept_with_its_reason_and_redelivered(client: Client) -> None:
    async with pushed_tool() as tool:
        tool.statuses = [500, 410, 500, 500]
        await registered(client, "checker", {"kind": "push", "url": tool.url, "attempts": 2})
        await deployed(client, "dead")
        runs = [await started(client, "dead") for _ in range(2)]
        dead = await letters(client, "dead", 2)
        assert {letter["run"] for letter in dead} == set(runs)
        assert all(letter["attempts"] == 2 and letter["reason"].startswith("it answered ") for letter in dead)
        assert (await client.get(f"/api/v1/runs/{runs[0]}")).body["status"] == "running"
        tool.engine = client
        one = await client.post(f"/api/v1/tools/checker:redeliver?id={dead[0]['id']}")
        assert (one.status, one.body) == (202, {"redelivered": 1})
        assert (await ended(client, dead[0]["run"]))["status"] == "completed"
        assert (await client.post("/api/v1/tools/checker:redeliver")).body == {"redelivered": 1}
        assert (await ended(client, dead[1]["run"]))["status"] == "completed"
        assert (await client.post("/api/v1/tools/checker:redeliver")).body == {"redelivered": 0}


async def test_a_secret_that_is_not_there_sends_nothing(client: Client) -> None:
    async with pushed_tool() as tool:
        await registered(client, "checker", {"kind": "push", "url": tool.url, "secret": "lost", "attempts": 1})
        await deployed(client, "secretless")
        await started(client, "secretless")
        (letter,) = await letters(client, "dead")
        assert letter["reason"] == "the secret 'lost' does not exist"
        assert tool.received == []


async def test_a_tool_that_is_away_holds_up_no_other(client: Client) -> None:
    async with pushed_tool() as tool:
        tool.engine = client
        await registered(client, "away", {"kind": "push", "url": "http://127.0.0.1:9/"}, capability="away")
        await registered(client, "checker", {"kind": "push", "url": tool.url})
        await deployed(client, "waits", {"a": {"call": "away"}})
        await deployed(client, "goes")
        for _ in range(50):
            await started(client, "waits")
        assert (await ended(client, await started(client, "goes")))["output"] == {"ok": True}


async def test_a_cancelled_task_is_not_sent_again(client: Client) -> None:
    async with pushed_tool() as tool:
        tool.statuses = [503]
        await registered(client, "checker", {"kind": "push", "url": tool.url})
        await deployed(client, "cancelled")
        run_id = await started(client, "cancelled")
        await letters(client, "waiting")
        await client.post(f"/api/v1/runs/{run_id}:cancel")
        await letters(client, "waiting", 0)
        tool.engine = client
        other = await started(client, "cancelled")
        assert (await ended(client, other))["status"] == "completed"
        ids = [json.loads(body)["penstockrun"] for _, body in tool.received]
        assert ids.count(run_id) <= 1
