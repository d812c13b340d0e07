"""Waiting for work: in line, woken one by one, and without a trace when nobody waits any more."""

import asyncio

import pytest

from penstock.errors import InfrastructureError
from penstock.model import limits
from penstock.runtime.engine import Engine
from penstock.store.rows import WorkRow
from penstock.tools.contract import PullTransport, ToolDefinition

from .conftest import document

CALLS = document("calls", "- c: {call: checknumber}\n")


@pytest.fixture(autouse=True)
async def tool(engine: Engine) -> None:
    await engine.put_tool(ToolDefinition("checker", "checknumber", PullTransport()))
    await engine.deploy(CALLS)


async def begin(engine: Engine) -> str:
    return (await engine.start_run("test", "calls", "latest", {})).id


async def in_line(engine: Engine, count: int) -> None:
    """Returns when so many wait and none is awake."""
    async with asyncio.timeout(20):
        while True:
            line = engine._parts.pulling._lines.get("checker", {})
            if len(line) == count and not any(event.is_set() for event in line.values()):
                return
            await asyncio.sleep(0.01)


async def test_who_waits_first_is_woken_first(engine: Engine) -> None:
    waiting: list[asyncio.Task[list[WorkRow]]] = []
    for count in range(1, 4):
        waiting.append(asyncio.create_task(engine.work.pull("checker", wait_ms=20_000)))
        await in_line(engine, count)
    for first in waiting:
        run_id = await begin(engine)
        (row,) = await first
        assert row.run_id == run_id
    assert not engine._parts.pulling._lines
    assert not engine._parts.pulling._alarms


async def test_much_work_at_once_wakes_as_many_as_it_needs(engine: Engine) -> None:
    waiting = [asyncio.create_task(engine.work.pull("checker", wait_ms=20_000)) for _ in range(8)]
    await in_line(engine, 8)
    runs = set(await asyncio.gather(*(begin(engine) for _ in range(8))))
    assert {row.run_id for rows in await asyncio.gather(*waiting) for row in rows} == runs


async def test_whoever_is_cancelled_while_leasing_leaves_nothing_leased(engine: Engine) -> None:
    await begin(engine)
    async with asyncio.timeout(20):
        while not await engine._parts.store.list_work(limit=1):  # noqa: ASYNC110 - the store is looked at
            await asyncio.sleep(0.01)
    for turns in range(4):
        pulling = asyncio.create_task(engine.work.pull("checker", wait_ms=20_000))
        for _ in range(turns + 1):
            await asyncio.sleep(0)
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)
    (row,) = await engine.work.pull("checker", wait_ms=20_000)
    assert row.state == "leased"


async def test_a_reader_that_leaves_a_stream_gives_back_what_it_has_not_seen(engine: Engine) -> None:
    runs = {await begin(engine) for _ in range(3)}
    stream = engine.work.stream("checker", most=3)
    seen = await anext(stream)
    await stream.aclose()
    left = [row for _ in range(2) for row in await engine.work.pull("checker", wait_ms=20_000)]
    assert {seen.run_id, *(row.run_id for row in left)} == runs


async def test_an_engine_that_closes_sends_everybody_home(engine: Engine) -> None:
    waiting = [asyncio.create_task(engine.work.pull("checker", wait_ms=60_000)) for _ in range(3)]
    await in_line(engine, 3)
    async with asyncio.timeout(20):
        await engine._parts.pulling.close()
        assert await asyncio.gather(*waiting) == [[], [], []]


async def test_not_everybody_can_wait(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.MAX_WAITING_PULLS > 2
    monkeypatch.setattr("penstock.runtime.pulling.MAX_WAITING_PULLS", 2)
    waiting = [asyncio.create_task(engine.work.pull("checker", wait_ms=60_000)) for _ in range(2)]
    await in_line(engine, 2)
    with pytest.raises(InfrastructureError, match="wait for work"):
        await engine.work.pull("checker")
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await engine.work.pull("checker") == []
