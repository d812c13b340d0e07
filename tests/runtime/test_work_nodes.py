"""Work by event over several nodes: who holds the run, who gives the work out and who hears the answer may differ."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import msgspec
import pytest

from penstock.model.json_value import Json
from penstock.runtime.deliveries import event_for
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.store.rows import WorkRow
from penstock.tools.contract import PullTransport, PushTransport, ToolDefinition

from .conftest import Service, document, served
from .test_nodes import Nodes, another, nodes, owner, settings, two, until, until_found

__all__ = ["nodes", "service", "settings", "two"]

pytestmark = [pytest.mark.mission("M116", "M131"), pytest.mark.slow]
CALLS = document("calls", "- c: {call: checknumber, with: {n: 7}, timeout: {after: {seconds: 60}}}\n")
_numbers = itertools.count()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with served() as running:
        yield running


def answer(row: WorkRow, said: str, **data: Json) -> dict[str, Json]:
    task = msgspec.json.decode(event_for(row))
    event: dict[str, Json] = {"specversion": "1.0", "id": f"n{next(_numbers)}", "source": "/tools"}
    event |= {name: task[name] for name in ("penstocktool", "penstocklease") if name in task}
    return event | {"type": f"checknumber.{said}", "triggeredid": row.call_id, "data": data}


async def known(engines: list[Engine], tool: ToolDefinition) -> None:
    """Registers the tool, and waits until every node knows it."""
    await engines[0].put_tool(tool)
    await engines[0].deploy(CALLS)
    for engine in engines:
        await until(lambda engine=engine: engine._parts.directory.definition(tool.name) is not None)


async def test_a_puller_at_another_node_wakes_works_and_answers_there(two: list[Engine], nodes: Nodes) -> None:
    front = await nodes.add(roles="api")
    await known([*two, front], ToolDefinition("checker", "checknumber", PullTransport()))
    for there in (two[1], front):
        waiting = asyncio.create_task(there.work.pull("checker", wait_ms=20_000))
        run = await two[0].start_run("test", "calls", "latest", {})
        assert owner(two, run.id) is two[0]
        (row,) = await waiting
        assert row.run_id == run.id
        await there.publish([answer(row, "started")])
        await there.publish([answer(row, "finished", there=1)])
        assert (await there.wait_run(run.id, 20)).output == {"there": 1}


async def test_a_lease_of_one_node_ends_for_those_who_wait_at_another(two: list[Engine]) -> None:
    await known(two, ToolDefinition("checker", "checknumber", PullTransport()))
    run = await two[0].start_run("test", "calls", "latest", {})
    (first,) = await two[0].work.pull("checker", wait_ms=20_000, lease_ms=1_000)
    (second,) = await another(two, run.id).work.pull("checker", wait_ms=20_000)
    assert (second.call_id, second.token) == (first.call_id, first.token + 1)
    await two[1].publish([answer(second, "started"), answer(first, "finished", by=1), answer(second, "finished", by=2)])
    assert (await two[0].wait_run(run.id, 20)).output == {"by": 2}


async def test_what_a_node_could_not_push_is_pushed_by_the_one_that_takes_its_runs(
    settings: Settings, nodes: Nodes, service: Service
) -> None:
    service.status = 503
    async with Engine(msgspec.structs.replace(settings, node_name="first")) as first:
        await known([first], ToolDefinition("pushed", "checknumber", PushTransport(service.url)))
        run = await first.start_run("test", "calls", "latest", {})
        await until(lambda: len(service.bodies) > 0)
    service.status = 202
    second = await nodes.add()
    rows: list[WorkRow] = []

    async def sent() -> bool:
        rows[:] = await second.work.listed("pushed", state="sent", after=None, limit=10)
        return bool(rows)

    await until_found(sent)
    await second.publish([answer(rows[0], "finished", ok=True)])
    assert (await second.wait_run(run.id, 20)).output == {"ok": True}


async def test_a_redelivery_asked_of_one_node_is_sent_by_the_one_that_holds_the_run(
    two: list[Engine], service: Service
) -> None:
    service.status = 503
    await known(two, ToolDefinition("pushed", "checknumber", PushTransport(service.url, attempts=1)))
    run = await two[0].start_run("test", "calls", "latest", {})

    async def dead() -> bool:
        return bool(await two[1].work.listed("pushed", state="dead", after=None, limit=10))

    await until_found(dead)
    service.status = 202
    assert await another(two, run.id).work.redeliver("pushed") == 1
    await until(lambda: len(service.bodies) == 2)
