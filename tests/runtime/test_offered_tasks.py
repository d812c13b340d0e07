"""Tasks that tools take by event, through a real engine: offered, found by their answers, left."""

import asyncio
import itertools

from penstock.kernel.messages import CallOffered
from penstock.model.json_value import Json
from penstock.runtime.clock import SystemClock
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings

from .conftest import document, opened

_numbers = itertools.count()
CALL = "- c: {call: checknumber, with: {n: 7}, timeout: {after: {seconds: 20}}}\n"
AGAIN = f"- t: {{try: [{{{CALL[2:-1]}}}], catch: {{retry: {{limit: {{attempt: {{count: 1}}}}}}}}}}\n"


async def offered(engine: Engine, name: str, do: str = CALL, start_ms: int = 10_000) -> tuple[str, str]:
    """A run whose call was offered to the tools a and b: (run id, call id)."""
    await engine.deploy(document(name, do))
    run = await engine.start_run("test", name, "latest", {})
    return run.id, await offer(engine, run.id, start_ms)


async def offer(engine: Engine, run_id: str, start_ms: int, nth: int = 1) -> str:
    """Offers the call that waits, as dispatch does; returns its id when the offer is on disk."""
    (call,) = (await engine._live(run_id)).state.calls
    now = SystemClock().now_ms()
    message = CallOffered(
        at=now, call_id=call.call_id, capability="checknumber", tools=("a", "b"), start_by=now + start_ms, pushed=("b",)
    )  # fmt: skip
    engine._parts.turns.submit(run_id, message)
    await happened(engine, run_id, "task.offered", nth)
    return call.call_id


async def happened(engine: Engine, run_id: str, what: str, nth: int = 1) -> dict[str, Json]:
    """The nth event of the run's history of this type, once it is there."""
    seen = 0
    async with asyncio.timeout(20):
        async for _, event in engine.stream(run_id):
            seen += event["type"] == f"dev.penstock.{what}.v1" or event["type"].endswith(f".{what}.v1")
            if seen == nth:
                return event
    raise AssertionError(f"{what} did not happen")


def answer(call_id: str, said: str, tool: str, data: Json = None) -> dict[str, Json]:
    event: dict[str, Json] = {"specversion": "1.0", "id": f"t{next(_numbers)}", "source": "/tools"}
    event |= {"type": f"checknumber.{said}", "triggeredid": call_id, "penstocktool": tool}
    return event if data is None else {**event, "data": data}


async def types(engine: Engine, run_id: str) -> list[str]:
    """The events about tasks that the run published, oldest first."""
    listed = await engine.list_events(run=run_id)
    return sorted(str(one.event["type"]) for one in listed if one.event["type"].startswith("checknumber."))


async def test_a_task_is_announced_taken_followed_and_finished_by_events(engine: Engine) -> None:
    run_id, call_id = await offered(engine, "whole")
    listed = [one.event for one in await engine.list_events(run=run_id)]
    assert [(one["type"], one["id"], one["data"]) for one in listed] == [("checknumber.triggered", call_id, {"n": 7})]
    rows = await engine._parts.store.list_work(limit=10)
    assert [(row.call_id, row.tool, row.kind, row.state) for row in rows] == [
        (call_id, "a", "pull", "waiting"),
        (call_id, "b", "push", "waiting"),
    ]
    await engine.publish([answer(call_id, "started", "a")])
    await happened(engine, run_id, "task.tool_started")
    await engine.publish([answer(call_id, "status.changed", "a", {"percent": 50})])
    progress = await happened(engine, run_id, "task.progress")
    assert progress["data"]["detail"] == {"tool": "a", "token": 0, "data": {"percent": 50}}
    assert (await engine.get_run(run_id)).status == "running"
    await engine.publish([answer(call_id, "finished", "a", {"prime": True})])
    run = await engine.wait_run(run_id, 20)
    assert (run.status, run.output) == ("completed", {"prime": True})
    assert not await engine._parts.store.subscriptions_of(run_id)
    assert not await engine._parts.store.list_work(limit=10)


async def test_answers_in_one_batch_are_taken_in_their_order(engine: Engine) -> None:
    run_id, call_id = await offered(engine, "batch")
    said = [("started", "a"), ("started", "b"), ("finished", "b", {"x": 1, "y": 1}), ("finished", "a", {"y": 2})]
    await engine.publish([answer(call_id, *one) for one in said])
    assert (await engine.wait_run(run_id, 20)).output == {"x": 1, "y": 2}


async def test_two_tasks_are_told_apart_by_what_triggered_them(engine: Engine) -> None:
    (first, one), (second, two) = await offered(engine, "first"), await offered(engine, "second")
    await engine.publish([answer(two, "finished", "a", {"n": 2}), answer(one, "finished", "a", {"n": 1})])
    assert (await engine.wait_run(first, 20)).output == {"n": 1}
    assert (await engine.wait_run(second, 20)).output == {"n": 2}


async def test_a_run_that_is_cancelled_tells_its_tools(engine: Engine) -> None:
    run_id, call_id = await offered(engine, "cancelled")
    await engine.cancel(run_id)
    assert (await engine.wait_run(run_id, 20)).status == "cancelled"
    assert await types(engine, run_id) == ["checknumber.cancelled", "checknumber.triggered"]
    await engine.publish([answer(call_id, "finished", "a", {"x": 1})])
    assert (await engine.get_run(run_id)).status == "cancelled"


async def test_the_answer_to_a_task_offered_before_a_restart_finds_it(settings: Settings) -> None:
    async with opened(settings) as engine:
        run_id, call_id = await offered(engine, "restarted")
    async with opened(settings) as engine:
        await engine.publish([answer(call_id, "finished", "a", {"x": 1})])
        assert (await engine.wait_run(run_id, 20)).output == {"x": 1}


async def test_nobody_starts_in_time(engine: Engine) -> None:
    run_id, _ = await offered(engine, "nobody", start_ms=50)
    run = await engine.wait_run(run_id, 20)
    assert run.status == "faulted" and run.error is not None
    assert "nobody started 'checknumber'" in run.error["detail"]


async def test_an_answer_that_came_between_two_offers_of_one_call_counts(engine: Engine) -> None:
    run_id, call_id = await offered(engine, "again", AGAIN, start_ms=50)
    await happened(engine, run_id, "task.retried")
    await engine.publish([answer(call_id, "finished", "a", {"x": 1})])
    assert await offer(engine, run_id, 10_000, nth=2) == call_id
    assert (await engine.wait_run(run_id, 20)).output == {"x": 1}


async def test_a_lease_of_the_second_offer_is_newer_than_one_of_the_first(engine: Engine) -> None:
    run_id, call_id = await offered(engine, "leases", AGAIN, start_ms=1_000)
    first = await lease(engine)
    await happened(engine, run_id, "task.retried")
    await offer(engine, run_id, 10_000, nth=2)
    second = await lease(engine)
    assert second > first > 0
    said = [("started", "a", second), ("finished", "a", first), ("finished", "a", second)]
    events = [{**answer(call_id, what, tool, {"by": token}), "penstocklease": token} for what, tool, token in said]
    await engine.publish(events)
    assert (await engine.wait_run(run_id, 20)).output == {"by": second}


async def lease(engine: Engine) -> int:
    """The token of a lease of the work for the tool a."""
    now = SystemClock().now_ms()
    (row,) = await engine._parts.store.lease_work("a", now=now, until=now + 60_000, holder="test", limit=5)
    return row.token
