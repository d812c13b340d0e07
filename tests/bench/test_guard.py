"""What must not grow: counts exactly, processor time only as a ratio within one process, and that generously.

A machine that is slow or busy fails none of this; a scan where an index was, or one more commit for each step, does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bench.disk import of_sqlite
from bench.subjects.contract import STEPS, Crash, Setup
from bench.subjects.penstock_engine import PenstockEngine, document, event
from bench.works import each
from penstock.model.json_value import Json
from penstock.model.limits import MAX_CACHED_RUNS

FEW, MANY = 100, 10_000
COMMITS_PER_EVENT = 3
"""It is taken in, it is delivered, it is applied."""
BACKGROUND = 0.1
"""Of a commit, for each run, event or step: what the engine does for itself meanwhile."""
LISTENERS_FEW, LISTENERS_MANY = 50, 5_000
MORE = 200
"""Starts, events or steps that are compared."""
MOST_TIMES = 4.0
STATEMENTS_PER_STEP = 5.5
"""Of one run alone, where nothing is shared: those of its turn, with BEGIN and COMMIT, and nothing read."""

pytestmark = pytest.mark.slow


@pytest.fixture
async def subject(tmp_path: Path) -> AsyncIterator[PenstockEngine]:
    made = PenstockEngine(Setup(tmp_path, "", 0, 1, Crash(0, holding=False)))
    await made.open("W8a")
    yield made
    await made.close()


async def start(subject: PenstockEngine, first: int, count: int) -> list[str]:
    """Runs with numbers from `first` on that wait for an event each."""
    handles: dict[int, str] = {}

    async def one(offset: int) -> None:
        handles[offset] = await subject.start("W8a", first + offset)

    await each(one, count, 100)
    return [handles[offset] for offset in range(count)]


async def cheapest_ms(work: Callable[[], Awaitable[object]], times: int) -> float:
    """Processor time of this process; the least of a few, since others disturb only upwards."""
    took: list[float] = []
    for _ in range(times):
        began = time.process_time()
        await work()
        took.append((time.process_time() - began) * 1_000)
    return min(took)


async def test_a_step_is_one_turn_and_one_commit(subject: PenstockEngine) -> None:
    await subject.open_work("W1")
    await subject.result(await subject.start("W1", 0))
    before, runs = subject.counts(), 20
    for number in range(runs):
        assert await subject.result(await subject.start("W1", number)) == number + STEPS["W1"]
    each_run = {name: (value - before[name]) / runs for name, value in subject.counts().items()}
    assert each_run["turns"] == STEPS["W1"] + 1
    assert STEPS["W1"] + 1 <= each_run["commits"] <= STEPS["W1"] + 1 + BACKGROUND
    assert each_run["statements"] <= STATEMENTS_PER_STEP * STEPS["W1"]


async def test_runs_at_once_share_their_commits(subject: PenstockEngine) -> None:
    await subject.open_work("W1")
    before, runs = subject.counts(), 300

    async def one(number: int) -> None:
        await subject.result(await subject.start("W1", number))

    await each(one, runs, 100)
    after = subject.counts()
    assert after["turns"] - before["turns"] == runs * (STEPS["W1"] + 1)
    assert after["commits"] - before["commits"] <= runs, "a hundred runs at once share less than one commit each"


async def test_a_start_costs_the_same_among_many_parked_runs(subject: PenstockEngine, tmp_path: Path) -> None:
    empty = of_sqlite(tmp_path / "engine.db").kept
    assert empty is not None
    await start(subject, 0, FEW)
    first = FEW

    async def more() -> None:
        nonlocal first
        await start(subject, first, MORE)
        first += MORE

    among_few = await cheapest_ms(more, 3)
    few_kept, few = (of_sqlite(tmp_path / "engine.db").kept or 0) - empty, first
    await start(subject, first, MANY - first)
    first = MANY
    among_many = await cheapest_ms(more, 3)
    many_kept = (of_sqlite(tmp_path / "engine.db").kept or 0) - empty
    assert among_many <= MOST_TIMES * among_few
    assert many_kept / first <= 2 * few_kept / few
    assert len(subject.engine.runtime._parts.live) <= MAX_CACHED_RUNS < MANY


async def test_an_event_costs_the_same_among_many_listeners(subject: PenstockEngine) -> None:
    handles = await start(subject, 0, LISTENERS_FEW + 3 * MORE)
    next_one = 0

    async def events() -> None:
        nonlocal next_one
        for number in range(next_one, next_one + MORE // 4):
            result = asyncio.ensure_future(subject.result(handles[number]))
            await subject.signal(handles[number], number, {"penstockttl": 0})
            assert await result == number
        next_one += MORE // 4

    before = subject.counts()
    among_few = await cheapest_ms(events, 3)
    counted_few = difference(subject, before)
    handles += await start(subject, len(handles), LISTENERS_MANY)
    before = subject.counts()
    among_many = await cheapest_ms(events, 3)
    counted_many = difference(subject, before)
    assert among_many <= MOST_TIMES * among_few
    published = 3 * (MORE // 4)
    assert counted_many["turns"] == counted_few["turns"] == published
    for counted in (counted_few, counted_many):
        assert counted["commits"] <= (COMMITS_PER_EVENT + BACKGROUND) * published
    assert counted_many["statements"] <= 1.25 * counted_few["statements"], "one look for a run that left the memory"


async def test_a_step_costs_the_same_after_thousands(subject: PenstockEngine) -> None:
    steps = 2_000
    at: list[tuple[float, dict[str, float]]] = []

    async def tick(given: dict[str, int]) -> dict[str, int]:
        if given["n"] in {MORE, 2 * MORE, steps - MORE, steps}:
            at.append((time.process_time(), subject.counts()))
        return {"n": given["n"] + 1}

    subject.engine.tool("tick", tick)
    again: Json = [{"more": {"when": f"${{ .n <= {steps} }}", "then": "step"}}]
    await subject.engine.deploy(document("long", [{"step": {"call": "tick"}}, {"again": {"switch": again}}]))
    assert await subject.result(await subject.start("long", 0)) == steps + 1
    (first, first_counts), (second, second_counts), (third, third_counts), (fourth, fourth_counts) = at
    assert fourth - third <= MOST_TIMES * (second - first)
    for after, before in ((second_counts, first_counts), (fourth_counts, third_counts)):
        counted = {name: value - before[name] for name, value in after.items()}
        assert counted["turns"] == MORE
        assert MORE <= counted["commits"] <= MORE * (1 + BACKGROUND)
        assert counted["statements"] <= MORE * STATEMENTS_PER_STEP


async def test_a_listener_finds_its_event_among_many_kept_ones_as_cheaply_as_among_few(
    subject: PenstockEngine,
) -> None:
    def kept(first: int, count: int) -> list[dict[str, Json]]:
        return [{**event(str(number), number), "penstockttl": 3_600} for number in range(first, first + count)]

    async def listeners(first: int) -> dict[str, float]:
        before = subject.counts()
        for number in range(first, first + LISTENERS_FEW):
            assert await subject.result(await subject.start("W8a", number)) == number
        return difference(subject, before)

    await subject.engine.publish(*kept(0, 2 * LISTENERS_FEW))
    among_few = await listeners(0)
    for first in range(2 * LISTENERS_FEW, LISTENERS_MANY, 500):
        await subject.engine.publish(*kept(first, 500))
    among_many = await listeners(LISTENERS_FEW)
    assert among_many["statements"] <= 2 * among_few["statements"]


def difference(subject: PenstockEngine, before: dict[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in subject.counts().items()}
