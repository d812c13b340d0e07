"""Why, where several nodes share a store: whichever is asked, the answer is the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings

from .conftest import document
from .test_events import event
from .test_nodes import Nodes, another, owner, until_found

pytestmark = pytest.mark.slow

HEARS = "- a: {listen: {to: {one: {with: {type: t}, correlate: {k: {from: .data.k, expect: .k}}}}}}\n"


@pytest.fixture
async def two(tmp_path: Path, postgres_url: str) -> AsyncIterator[list[Engine]]:
    """Engines that share the partitions evenly."""
    async with AsyncExitStack() as stack:
        nodes = Nodes(Settings(store=postgres_url, data_dir=str(tmp_path), log_level="error", lease_s=2), stack)
        engines = [await nodes.add() for _ in range(2)]
        await nodes.even(engines)
        yield engines


async def listening(engine: Engine, engines: list[Engine], key: str) -> str:
    run = await engine.start_run("test", "hears", "latest", {"k": key})

    async def subscribed() -> bool:
        return bool(await owner(engines, run.id)._parts.store.subscriptions_of(run.id))

    await until_found(subscribed)
    return run.id


async def test_every_node_says_why(two: list[Engine]) -> None:
    await two[0].deploy(document("hears", HEARS))
    runs = [
        await listening(engine, two, f"k{number}") for number, engine in enumerate((two[0], two[1], two[0], two[1]))
    ]
    assert {owner(two, run).settings.node_name for run in runs} == {"n0", "n1"}
    await two[0].publish([event("t", {"k": "other"}, id="e1")])
    answers: list[Json] = []
    for engine in two:
        why = await engine.event_matches("/test", "e1")
        answers.append(why["candidates"])
        found = {one["run"]: one["reason"] for one in why["candidates"]}
        assert found == {
            run: f'correlate.k: the run expects "k{number}", the event has "other"' for number, run in enumerate(runs)
        }
    assert answers[0] == answers[1]
    for run in runs:
        there, elsewhere = await owner(two, run).why(run), await another(two, run).why(run)
        assert there == elsewhere
        assert there["waits"][0]["kind"] == "event"


async def test_a_delivery_is_told_of_by_the_node_that_has_not_the_run(two: list[Engine]) -> None:
    await two[0].deploy(document("hears", HEARS))
    run = await listening(two[0], two, "k")
    other = another(two, run)
    await other.publish([event("t", {"k": "k"}, id="e1")])
    assert (await other.wait_run(run, 20)).status == "completed"
    [one] = (await other.event_matches("/test", "e1"))["candidates"]
    assert (one["run"], one["verdict"], one["reference"]) == (run, "delivered", "/do/0/a")


async def test_a_call_without_a_tool_says_so_on_every_node(two: list[Engine]) -> None:
    await two[0].deploy(document("calls", "- c: {call: numbers}\n"))
    run = (await two[0].start_run("test", "calls", "latest", {})).id
    for engine in two:
        async with asyncio.timeout(20):
            while "reason" not in (one := (await engine.why(run))["waits"][0]):  # noqa: ASYNC110 - the engine is asked
                await asyncio.sleep(0.01)
        assert "'numbers'" in one["reason"]
