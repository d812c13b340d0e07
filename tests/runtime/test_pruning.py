"""Ended runs go when their time is over, and only those."""

import asyncio

import msgspec
import pytest

from penstock.errors import NotFound, Unprocessable
from penstock.model.json_value import Json
from penstock.model.limits import MIN_RETAINED_MS, PRUNE_RUNS_PER_REQUEST, RETENTION_SWEEP_MS
from penstock.runtime.clock import ManualClock
from penstock.runtime.engine import Engine
from penstock.runtime.pruning import PruneWish
from penstock.runtime.settings import Settings
from penstock.store.rows import JournalRow, RunCommit, RunRow

from .conftest import document, opened

DAY = 24 * 3600 * 1000
SHORT = "- x: {set: {a: 1}}\n"


def retaining(name: str, retain: str, *, version: str = "1.0.0") -> str:
    """A workflow that says how long its runs are kept."""
    text = document(name, SHORT, version=version)
    return text.replace("}\n", f", metadata: {{penstock: {{retain: {retain}}}}}}}\n", 1)


async def ended(engine: Engine, name: str, count: int) -> list[str]:
    """New ended runs, the one that ended first first."""
    ids: list[str] = []
    for _ in range(count):
        run = await engine.start_run("test", name, "latest", {})
        assert (await engine.wait_run(run.id, 10)).ended
        ids.append(run.id)
        assert isinstance(engine.clock, ManualClock)
        engine.clock.advance(1)
    return ids


async def existing(engine: Engine) -> set[str]:
    return {run.id for run in await engine.list_runs(limit=1000)}


async def swept(engine: Engine, clock: ManualClock) -> int:
    """One sweep, whose pauses take no time; how many runs went since the engine began.

    Moving the clock may begin the engine's own sweep, too: who of the two deletes a run does not matter.
    """
    sweep = asyncio.ensure_future(engine._parts.pruning.sweep())
    while not sweep.done():
        clock.advance(10)
        await asyncio.sleep(0)
    await sweep
    (sample,) = next(iter(engine.metrics.pruned.collect())).samples[:1]
    return int(sample.value)


class TestRetention:
    async def test_nothing_goes_unless_somebody_says_so(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            await engine.deploy(document("kept", SHORT))
            ids = await ended(engine, "kept", 3)
            clock.advance(100 * 365 * DAY)
            assert await swept(engine, clock) == 0
            assert await existing(engine) == set(ids)

    async def test_runs_go_by_the_days_of_the_settings(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(msgspec.structs.replace(settings, retain_days=2), clock=clock) as engine:
            await engine.deploy(document("aging", SHORT))
            old = await ended(engine, "aging", 2)
            clock.advance(DAY)
            young = await ended(engine, "aging", 2)
            clock.advance(DAY + 1)
            assert await swept(engine, clock) == 2
            assert await existing(engine) == set(young)
            with pytest.raises(NotFound):
                await engine.get_run(old[0])
            assert b"penstock_runs_pruned_total 2.0" in engine.metrics.render()

    async def test_runs_go_by_their_number_after_a_minute(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(msgspec.structs.replace(settings, retain_runs=2), clock=clock) as engine:
            for name in ("a", "b"):
                await engine.deploy(document(name, SHORT))
            first, second = await ended(engine, "a", 4), await ended(engine, "b", 3)
            assert await swept(engine, clock) == 0
            clock.advance(MIN_RETAINED_MS + 1000)
            assert await swept(engine, clock) == 3
            assert await existing(engine) == {*first[2:], *second[1:]}

    async def test_a_workflow_overrides_the_settings_member_by_member(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(msgspec.structs.replace(settings, retain_days=2), clock=clock) as engine:
            await engine.deploy(retaining("long", "{age: P9D}"))
            await engine.deploy(retaining("few", "{runs: 1}"))
            long, few = await ended(engine, "long", 3), await ended(engine, "few", 3)
            clock.advance(DAY)
            assert await swept(engine, clock) == 2
            assert await existing(engine) == {*long, few[2]}
            clock.advance(2 * DAY)
            assert await swept(engine, clock) == 3
            assert await existing(engine) == set(long)

    async def test_the_latest_version_decides(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            await engine.deploy(retaining("w", "{runs: 1}"))
            await ended(engine, "w", 3)
            await engine.deploy(retaining("w", "{runs: 2}", version="1.0.1"))
            clock.advance(DAY)
            assert await swept(engine, clock) == 1

    async def test_what_makes_no_sense_is_refused_with_its_place(self, engine: Engine) -> None:
        with pytest.raises(Unprocessable, match="not a duration") as caught:
            await engine.deploy(retaining("wrong", "{age: soon}"))
        (found,) = caught.value.errors
        assert found.pointer == "/document/metadata/penstock/retain/age"
        assert found.line == 1
        assert not (await engine.check(retaining("wrong", "{runs: many}"))).valid

    async def test_live_runs_and_children_of_live_runs_stay(self, settings: Settings) -> None:
        clock = ManualClock()
        start = "- c: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}\n"
        async with opened(msgspec.structs.replace(settings, retain_days=1), clock=clock) as engine:
            await engine.deploy(document("child", SHORT))
            await engine.deploy(document("parent", start + "- w: {wait: P5D}\n"))
            parent = await engine.start_run("test", "parent", "latest", {})
            while not (children := await engine.list_runs(name="child", namespace="test")):  # noqa: ASYNC110 - lists make no sound
                await asyncio.sleep(0)
            assert (await engine.wait_run(children[0].id, 10)).status == "completed"
            clock.advance(3 * DAY)
            assert await swept(engine, clock) == 0
            assert len(await existing(engine)) == 2
            await engine.cancel(parent.id)
            clock.advance(DAY)
            assert await swept(engine, clock) == 2

    async def test_the_engine_sweeps_by_itself(self, settings: Settings) -> None:
        clock = ManualClock()
        settings = msgspec.structs.replace(settings, retain_runs=1)
        async with opened(settings, clock=clock) as engine:
            await engine.deploy(document("w", SHORT))
            ids = await ended(engine, "w", 3)
            async with asyncio.timeout(20):
                while await existing(engine) != {ids[2]}:
                    clock.advance(RETENTION_SWEEP_MS)


class TestPruning:
    async def test_what_is_older_and_not_among_the_newest_goes(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            await engine.deploy(document("w", SHORT))
            ids = await ended(engine, "w", 3)
            before = clock.now_ms() + 1
            clock.advance(1000)
            ids += await ended(engine, "w", 2)
            wish = PruneWish(before=before, keep=3, dry_run=True)
            counted = await engine.prune(wish)
            assert (counted.workflows, counted.more) == ((("test", "w", 2),), False)
            assert await existing(engine) == set(ids)
            done = await pruned(engine, clock, msgspec.structs.replace(wish, dry_run=False))
            assert done == counted
            assert await existing(engine) == set(ids[2:])

    async def test_without_bounds_it_does_what_retention_says(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            await engine.deploy(document("kept", SHORT))
            await engine.deploy(retaining("few", "{runs: 1, age: P1D}"))
            await ended(engine, "kept", 2)
            await ended(engine, "few", 3)
            clock.advance(MIN_RETAINED_MS + 1)
            assert (await engine.prune(PruneWish(dry_run=True))).runs == 2
            clock.advance(DAY)
            assert (await engine.prune(PruneWish(dry_run=True))).runs == 3
            assert (await pruned(engine, clock, PruneWish())).runs <= 3
            assert len(await existing(engine)) == 2

    async def test_one_workflow_alone(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            for name in ("a", "b"):
                await engine.deploy(document(name, SHORT))
                await ended(engine, name, 2)
            done = await pruned(engine, clock, PruneWish(keep=0, workflow=("test", "b")))
            assert done.workflows == (("test", "b", 2),)
            assert (await pruned(engine, clock, PruneWish(keep=0, workflow=("test", "nobody")))).runs == 0

    async def test_a_request_does_a_bounded_part(self, settings: Settings) -> None:
        clock = ManualClock()
        async with opened(settings, clock=clock) as engine:
            await engine._parts.store.commit([over(n) for n in range(PRUNE_RUNS_PER_REQUEST + 70)])
            first = await pruned(engine, clock, PruneWish(keep=20))
            assert (first.runs, first.more) == (PRUNE_RUNS_PER_REQUEST, True)
            second = await pruned(engine, clock, PruneWish(keep=20))
            assert (second.runs, second.more) == (50, False)
            assert len(await existing(engine)) == 20


def over(number: int) -> RunCommit:
    """A run that ended, as rows."""
    row = RunRow(
        id=f"018bcfe5-{number:04x}-7000-8000-000000000000",
        namespace="test",
        name="rows",
        version="1.0.0",
        status="completed",
        created_at=number + 1,
        updated_at=number + 1,
        ended_at=number + 1,
    )
    return RunCommit(run=row, expected_version=0, version=1, state=b"", journal=(JournalRow(1, 1, b"j"),))


async def pruned(engine: Engine, clock: ManualClock, wish: PruneWish) -> Json:
    """Prunes; its pauses take no time."""
    pruning = asyncio.ensure_future(engine.prune(wish))
    while not pruning.done():
        clock.advance(10)
        await asyncio.sleep(0)
    return pruning.result()
