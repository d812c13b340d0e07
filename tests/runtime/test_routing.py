"""How events are brought: in pages, behind a cursor, and to late listeners out of memory."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.runtime import events as routing
from penstock.runtime import kept_events, kept_keys, look_back, matching
from penstock.runtime.engine import Engine
from penstock.runtime.listeners import Listeners
from penstock.runtime.matching import Candidate, Matching
from penstock.runtime.programs import Programs
from penstock.runtime.settings import Settings

from .conftest import document, opened
from .test_events import KEYED, LISTEN, event, until_routed

ALL_OF_A = """
- l:
    listen: {to: {any: [{with: {type: a}}], until: '${ (. | length) == $input.count }'}}
"""
OPEN = "- l: {listen: {to: {one: {with: {type: a}, correlate: {k: {from: .data.k}}}}}}\n"


def numbered(count: int) -> list[dict[str, Json]]:
    return [event("a", {"k": n}) for n in range(count)]


async def test_a_listener_among_many_kept_events_reads_none_of_them(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.deploy(document("k", KEYED))
    await engine.publish(numbered(300))
    await until_routed(engine)
    store = engine._parts.store

    async def refuse(*args: Json, **named: Json) -> Json:
        raise AssertionError("a look back read events")

    monkeypatch.setattr(store, "events_since", refuse)
    runs = [await engine.start_run("test", "k", "latest", {"k": n}) for n in (299, 0, 7, 7)]
    ended = await asyncio.gather(*(engine.wait_run(run.id, 10) for run in runs))
    assert [run.output for run in ended] == [[{"k": n}] for n in (299, 0, 7, 7)]


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in pages of a few, most of it out of memory."""
    monkeypatch.setattr(kept_events, "MAX_RECENT_EVENTS", 10)
    monkeypatch.setattr(kept_events, "MAX_LOOK_BACK_EVENTS", 4)
    monkeypatch.setattr(look_back, "MAX_LOOK_BACK_EVENTS", 3)
    monkeypatch.setattr(kept_keys, "MAX_KEPT_KEYS", 8)
    monkeypatch.setattr(matching, "MAX_MATCHED_AT_ONCE", 5)
    monkeypatch.setattr(routing, "MAX_EVENTS_PER_ROUTING", 7)
    monkeypatch.setattr(routing, "MAX_ROUTING_BYTES", 500)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("tasks", [KEYED, KEYED.replace("type: a", "type: 'a|b'")])
async def test_kept_events_beyond_memory_are_found(engine: Engine, tasks: str) -> None:
    await engine.deploy(document("k", tasks))
    await engine.publish(numbered(60))
    await until_routed(engine)
    runs = [await engine.start_run("test", "k", "latest", {"k": n}) for n in range(60)]
    await engine.publish([event("a", {"k": 60})])
    runs.append(await engine.start_run("test", "k", "latest", {"k": 60}))
    ended = await asyncio.gather(*(engine.wait_run(run.id, 10) for run in runs))
    assert [run.output for run in ended] == [[{"k": n}] for n in range(61)]


@pytest.mark.usefixtures("little_memory")
async def test_what_comes_in_pages_and_out_of_memory_keeps_its_order(engine: Engine) -> None:
    await engine.deploy(document("all", ALL_OF_A))
    early = await engine.start_run("test", "all", "latest", {"count": 40})
    await engine.publish(numbered(40))
    await until_routed(engine)
    late = await engine.start_run("test", "all", "latest", {"count": 40})
    for run in (early, late):
        assert (await engine.wait_run(run.id, 10)).output == [{"k": n} for n in range(40)]


@pytest.mark.usefixtures("little_memory")
async def test_a_key_that_is_open_takes_the_first_that_is_kept(engine: Engine) -> None:
    await engine.deploy(document("open", OPEN))
    await engine.publish(numbered(30))
    await until_routed(engine)
    run = await engine.start_run("test", "open", "latest", {})
    assert (await engine.wait_run(run.id, 10)).output == [{"k": 0}]


async def test_a_page_stops_at_a_run_that_looks_back_and_goes_on_behind_it(engine: Engine) -> None:
    await engine.deploy(document("k", KEYED))
    one, two, three = [await engine.start_run("test", "k", "latest", {"k": n}) for n in (1, 2, 3)]
    router = engine._parts.router
    router.before(two.id, [])
    await engine.publish([event("a", {"k": n}) for n in (1, 2, 3)])
    assert (await engine.wait_run(one.id, 10)).status == "completed"
    assert (await engine.wait_run(three.id, 0.1)).status == "waiting"
    router.settled(two.id)
    assert (await engine.wait_run(two.id, 10)).status == "completed"
    assert (await engine.wait_run(three.id, 10)).status == "completed"


async def test_an_event_that_cannot_be_matched_holds_up_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Matching.fitting

    async def fitting(self: Matching, candidates: list[Candidate]) -> list[Candidate]:
        if any(one.event["data"] == {"k": 1} for one in candidates):
            raise ZeroDivisionError
        return await real(self, candidates)

    monkeypatch.setattr(Matching, "fitting", fitting)
    await engine.deploy(document("k", KEYED))
    runs = [await engine.start_run("test", "k", "latest", {"k": n}) for n in range(3)]
    await engine.publish(numbered(3))
    for run in (runs[0], runs[2]):
        assert (await engine.wait_run(run.id, 10)).status == "completed"
    assert (await engine.wait_run(runs[1].id, 0.1)).status == "waiting"


async def test_an_event_that_is_left_over_when_the_run_ends_leaves_the_inbox(engine: Engine) -> None:
    text = "- l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}}\n"
    await engine.deploy(document("l", text))
    run = await engine.start_run("test", "l", "latest", {})
    await engine.publish([event("a"), event("a"), event("b")])
    assert (await engine.wait_run(run.id, 10)).status == "completed"
    await engine.deploy(document("s", "- s: {set: {n: 1}}\n"))
    await engine.wait_run((await engine.start_run("test", "s", "latest", {})).id, 10)
    assert await engine._parts.store.inbox(0, 9) == []


async def test_a_filter_that_cannot_be_read_is_not_taken_for_gone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(settings) as engine:
        await engine.deploy(document("l", LISTEN))
        await engine.start_run("test", "l", "latest", {})
    async with opened(settings) as engine:
        store = engine._parts.store
        listeners = Listeners(Programs(store))
        names = await store.subscription_topics()

        async def fail(*args: Json) -> Json:
            raise InfrastructureError("the disk did not read")

        with monkeypatch.context() as failing, pytest.raises(InfrastructureError):
            failing.setattr(store, "get_workflow_for_runs", fail)
            await listeners.refresh(names)
        await listeners.refresh(names)
        assert [listeners.topic(name) is not None for name in names] == [True]


async def test_filters_of_turns_under_way_survive_a_look_at_the_store(engine: Engine) -> None:
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    router = engine._parts.router
    (name,) = await engine._parts.store.subscription_topics()
    topic = router._listeners.topic(name)
    assert topic is not None
    await engine.cancel(run.id)
    router.before("another", [topic])
    await router.sweep()
    assert router._listeners.topic(name) is topic
    router.settled("another")
    await router.sweep()
    assert router._listeners.topic(name) is None


# The cursor


def routed(database: Path) -> tuple[int, int]:
    """The cursor in the store, and the newest event."""
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT seq, (SELECT max(seq) FROM events) FROM routing").fetchone()


async def test_an_engine_that_stops_keeps_how_far_it_was(settings: Settings) -> None:
    database = Path(settings.store_url.removeprefix("sqlite:"))
    async with opened(settings) as engine:
        await engine.publish(numbered(5))
        await until_routed(engine)
    assert routed(database) == (5, 5)
    async with opened(settings) as engine:
        assert engine._parts.router.cursor == 5


async def test_the_cursor_is_kept_soon_after_the_last_event(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "KEEP_ROUTED_MS", 1)
    async with opened(settings) as engine, asyncio.timeout(10):
        await engine.publish(numbered(5))
        while await engine._parts.store.routed_until() < 5:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_events_that_are_routed_again_come_to_nobody_twice(settings: Settings) -> None:
    database = Path(settings.store_url.removeprefix("sqlite:"))
    async with opened(settings) as engine:
        await engine.deploy(document("all", ALL_OF_A))
        run = await engine.start_run("test", "all", "latest", {"count": 4})
        await engine.publish(numbered(3))
        await until_routed(engine)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE routing SET seq = 0")  # as after a crash before it was kept
    async with opened(settings) as engine:
        await engine.publish([event("a", {"k": 3})])
        assert (await engine.wait_run(run.id, 10)).output == [{"k": n} for n in range(4)]


# Runs that come and go


async def test_runs_that_come_get_the_events_that_are_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    router = engine._parts.router
    ours: set[str] = set()
    for part in (router, router._matching):
        monkeypatch.setattr(part, "_owns", lambda run_id: run_id in ours)
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    await engine.publish([event("a", {"n": 1})])
    await until_routed(engine)
    assert (await engine.wait_run(run.id, 0.1)).status == "waiting"
    ours.add(run.id)
    router.gained()
    assert (await engine.wait_run(run.id, 10)).output == [{"n": 1}]


async def test_nobody_waits_for_the_look_back_of_a_run_that_went(engine: Engine) -> None:
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    router = engine._parts.router
    router.before(run.id, [])
    await engine.publish([event("a", {"n": 1})])
    assert (await engine.wait_run(run.id, 0.1)).status == "waiting"
    router.lost(lambda _: False)
    assert (await engine.wait_run(run.id, 10)).status == "completed"
