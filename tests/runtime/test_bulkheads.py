"""When a commit, a step or the engine itself fails: one run suffers at most, nothing is lost, nothing happens twice.

The store here is the real one behind a door that fails on request, as a full disk or a lost connection would.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.runtime import turn as turn_module
from penstock.runtime.clock import ManualClock
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.runtime.views import RunView
from penstock.store import open_store
from penstock.store.rows import CommitOutcome, Rejected, RunCommit, Stale, StartKey

from .conftest import Service, capturing_log, document, opened, run_to_end
from .test_events import event

Fault = Callable[[Sequence[RunCommit]], str]


class Door:
    """A store whose commits fail as `fault` says: "" not at all, "before" or "after" writing, "reject"
    those that `refuses` says, or "raise"."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)
        self.fault: Fault = lambda _: ""
        self.refuses: Callable[[RunCommit], bool] = lambda _: False

    def __getattr__(self, name: str) -> Json:
        return getattr(self._store, name)

    async def commit(self, turns: Sequence[RunCommit], start_keys: Sequence[StartKey] = ()) -> list[CommitOutcome]:
        match self.fault(turns):
            case "before":
                raise InfrastructureError("the disk is full")
            case "after":
                await self._store.commit(turns, start_keys)
                raise InfrastructureError("the connection was lost")
            case "reject":
                taken = [turn for turn in turns if not self.refuses(turn)]
                outcomes = iter(await self._store.commit(taken, start_keys))
                return [Rejected("a row it cannot hold") if self.refuses(turn) else next(outcomes) for turn in turns]
            case "stale":
                return [Stale() for _ in turns]
            case "raise":
                raise ValueError("something nobody thought of")
            case _:
                return await self._store.commit(turns, start_keys)


@pytest.fixture
def door(settings: Settings) -> Door:
    return Door(settings.store_url)


def once(kind: str, matches: Callable[[RunCommit], bool] = lambda _: True) -> Fault:
    left = [kind]
    return lambda turns: left.pop() if left and any(map(matches, turns)) else ""


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_a_commit_of_unknown_outcome_happens_once(
    settings: Settings, door: Door, service: Service, kind: str
) -> None:
    text = document(
        "u",
        f"- c: {{call: http, with: {{method: post, endpoint: '{service.url}/p'}}}}\n"
        "- e: {emit: {event: {with: {type: told, data: 1}}}}\n- w: {wait: {milliseconds: 1}}\n",
    )
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(text)
        for version in range(1, 4):
            door.fault = once(kind, lambda commit, version=version: commit.version == version)
            run = await engine.start_run("test", "u", "latest", {"v": version})
            run = await engine.wait_run(run.id, 20)
            assert run.status == "completed", run.error
            rows = await engine._parts.store.journal(run.id, 0, 100)
            assert [row.seq for row in rows] == [1, 2, 3]
        assert len(await engine.list_events()) == 3
    assert len(service.keys) == len(set(service.keys)) == 3


async def test_a_stale_turn_is_made_again_from_what_the_store_holds(
    settings: Settings, door: Door, service: Service
) -> None:
    text = document("u", f"- c: {{call: http, with: {{method: post, endpoint: '{service.url}/p'}}}}\n")
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(text)
        for version in (1, 2):
            door.fault = once("stale", lambda commit, version=version: commit.version == version)
            run = await engine.start_run("test", "u", "latest", {}, idempotency_key=str(version))
            assert (await engine.wait_run(run.id, 20)).status == "completed"
    assert len(service.keys) == 2


async def test_an_event_reaches_its_run_though_its_commit_seemed_lost(settings: Settings, door: Door) -> None:
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("l", "- l: {listen: {to: {one: {with: {type: told}}}}}\n"))
        listener = await engine.start_run("test", "l", "latest", {})
        door.fault = once("after", lambda commit: bool(commit.events))
        await run_to_end(engine, document("e", "- e: {emit: {event: {with: {type: told, data: 1}}}}\n"))
        assert (await engine.wait_run(listener.id, 20)).output == [1]


@pytest.mark.parametrize("kind", ["reject", "raise"])
async def test_a_turn_that_the_store_refuses_suspends_its_run_alone(settings: Settings, door: Door, kind: str) -> None:
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("r", "- w: {wait: {milliseconds: 30}}\n- s: {set: {n: '${ .n }'}}\n"))
        runs = [await engine.start_run("test", "r", "latest", {"n": n}) for n in range(5)]
        poisoned = runs[2].id
        door.refuses = lambda commit: commit.run.id == poisoned and commit.run.status == "completed"
        door.fault = lambda turns: kind if any(map(door.refuses, turns)) else ""
        for run in runs:
            with engine._parts.watching.run(run.id) as moved:
                while (await engine.get_run(run.id)).status == "waiting":
                    await asyncio.wait_for(moved.wait(), 20)
                    moved.clear()
        found = {run.id: (await engine.get_run(run.id)).status for run in runs}
        assert found == {run.id: "suspended" if run.id == poisoned else "completed" for run in runs}
        history = await engine.history(poisoned)
        said = next(e["data"]["detail"] for e in history.events if e["type"].endswith("workflow.suspended.v1"))
        assert "refused" in said
        door.fault = lambda _: ""
        await engine.resume(poisoned)
        assert (await engine.wait_run(poisoned, 20)).output == {"n": 2}


async def test_a_step_that_raises_suspends_its_run_alone_and_resuming_tries_again(
    engine: Engine, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.gate.clear()
    await engine.deploy(document("p", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n"))
    good, bad = [await engine.start_run("test", "p", "latest", {}) for _ in range(2)]
    real = turn_module.step

    def failing(program: Json, state: Json, message: Json, answers: Json) -> Json:
        if state is not None and state.run_id == bad.id and type(message).__name__ == "CallFinished":
            raise RuntimeError("a bug")
        return real(program, state, message, answers)

    monkeypatch.setattr(turn_module, "step", failing)
    with engine._parts.watching.run(bad.id) as moved:
        service.gate.set()
        while (await engine.get_run(bad.id)).status != "suspended":
            await asyncio.wait_for(moved.wait(), 20)
            moved.clear()
    assert (await engine.wait_run(good.id, 20)).status == "completed"
    monkeypatch.setattr(turn_module, "step", real)
    await engine.resume(bad.id)
    assert (await engine.wait_run(bad.id, 20)).status == "completed"
    assert len(service.keys) == 2


async def test_a_first_step_that_raises_leaves_a_suspended_run_that_can_be_resumed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.deploy(document("f", "- s: {set: {n: 1}}\n"))
    real = turn_module.step

    def failing(*_: Json) -> Json:
        raise RuntimeError("a bug")

    monkeypatch.setattr(turn_module, "step", failing)
    run = await engine.start_run("test", "f", "latest", {})
    assert run.status == "suspended"
    monkeypatch.setattr(turn_module, "step", real)
    await engine.resume(run.id)
    assert (await engine.wait_run(run.id, 20)).output == {"n": 1}
    assert (await engine.state_at(run.id, 1))["status"] == "suspended"


async def test_a_start_that_a_failing_store_refused_never_begins(
    settings: Settings, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.model.limits.COMMIT_BACKOFF_MS", 1)
    monkeypatch.setattr("penstock.model.limits.MAX_COMMIT_BACKOFF_MS", 1)
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("s", "- s: {set: {n: 1}}\n"))
        door.fault = lambda _: "before"
        with pytest.raises(InfrastructureError):
            await engine.start_run("test", "s", "latest", {})
        door.fault = lambda _: ""
        async with asyncio.timeout(20):
            again = await insist(lambda: engine.start_run("test", "s", "latest", {}))
        assert (await engine.wait_run(again.id, 20)).status == "completed"
        assert [row.id for row in await engine.list_runs()] == [again.id]


async def test_a_request_that_a_failing_store_refused_may_be_done_later(
    settings: Settings, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.model.limits.COMMIT_BACKOFF_MS", 1)
    monkeypatch.setattr("penstock.model.limits.MAX_COMMIT_BACKOFF_MS", 1)
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("w", "- w: {wait: {hours: 1}}\n"))
        run = await engine.start_run("test", "w", "latest", {})
        door.fault = lambda _: "before"
        with pytest.raises(InfrastructureError, match="may be done later"):
            await engine.cancel(run.id)
        door.fault = lambda _: ""
        assert (await engine.wait_run(run.id, 20)).status == "cancelled"


async def test_more_requests_than_may_wait_are_refused_at_once(
    settings: Settings, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.model.limits.MAX_REQUESTS_WAITING", 3)
    monkeypatch.setattr("penstock.model.limits.MAX_COMMIT_ATTEMPTS", 1_000_000)
    monkeypatch.setattr("penstock.model.limits.MAX_COMMIT_BACKOFF_MS", 1)
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("s", "- s: {set: {n: 1}}\n"))
        door.fault = lambda _: "before"
        starts = [asyncio.create_task(engine.start_run("test", "s", "latest", {})) for _ in range(4)]
        refused, _ = await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert [type(task.exception()) for task in refused] == [InfrastructureError]
        door.fault = lambda _: ""
        assert len(await asyncio.gather(*(task for task in starts if task not in refused))) == 3
        assert len(await engine.list_runs()) == 3


async def insist(act: Callable[[], Awaitable[RunView]]) -> RunView:
    """Does it again until the store takes it."""
    while True:
        try:
            return await act()
        except InfrastructureError:
            await asyncio.sleep(0.01)


async def test_a_batch_that_failed_waits_once_and_not_for_each_of_its_runs(
    settings: Settings, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = 60
    monkeypatch.setattr("penstock.model.limits.COMMIT_BACKOFF_MS", 1_000)
    async with opened(settings, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(document("s", "- s: {set: {n: 1}}\n"))
        left = ["before"]
        door.fault = lambda turns: left.pop() if left and len(turns) > 9 else ""
        async with asyncio.timeout(8):
            await asyncio.gather(*(engine.start_run("test", "s", "latest", {}) for _ in range(runs)))
        assert not left and len(await engine.list_runs(status="completed")) == runs


async def test_stopping_leaves_calls_to_the_next_engine(settings: Settings, service: Service) -> None:
    """A graceful stop with a call under way: the next engine sends it again under its key, and the run completes."""
    service.gate.clear()
    async with opened(settings) as engine:
        await engine.deploy(document("g", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n"))
        run = await engine.start_run("test", "g", "latest", {})
        await asyncio.wait_for(service.came.wait(), 10)
    service.gate.set()
    async with opened(settings) as engine:
        assert (await engine.wait_run(run.id, 20)).status == "completed"
    assert len(service.keys) == 2 and len(set(service.keys)) == 1


async def test_stopping_gives_a_call_that_is_nearly_done_its_time(settings: Settings, service: Service) -> None:
    service.gate.clear()
    async with opened(settings) as engine:
        await engine.deploy(document("g", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n"))
        run = await engine.start_run("test", "g", "latest", {})
        await asyncio.wait_for(service.came.wait(), 10)
        asyncio.get_running_loop().call_later(0.2, service.gate.set)
    async with opened(settings) as engine:
        assert (await engine.get_run(run.id)).status == "completed"
    assert len(service.keys) == 1


async def test_an_answer_that_was_stored_beats_the_timeout_that_passed_meanwhile(settings: Settings) -> None:
    clock = ManualClock()
    text = document("t", "- l: {timeout: {after: PT10S}, listen: {to: {one: {with: {type: a}}}}}\n")
    door = Door(settings.store_url)
    async with opened(settings, clock=clock, store=door, log=capturing_log()[0]) as engine:  # type: ignore[arg-type]
        await engine.deploy(text)
        run = await engine.start_run("test", "t", "latest", {})
        delivered = asyncio.Event()
        real = door._store.deliver

        async def deliver(*args: Json, **named: Json) -> Json:
            await real(*args, **named)
            delivered.set()
            return []  # the engine dies here: nobody in it learns of the row

        door.deliver = deliver  # type: ignore[attr-defined]
        await engine.publish([event("a", {"n": 1})])
        await asyncio.wait_for(delivered.wait(), 10)
    clock.advance(60_000)
    async with opened(settings, clock=clock) as engine:
        run = await engine.wait_run(run.id, 20)
        assert (run.status, run.output) == ("completed", [{"n": 1}])


async def test_deadlines_far_away_fire_when_their_time_comes(settings: Settings) -> None:
    clock = ManualClock()
    async with opened(settings, clock=clock) as engine:
        await engine.deploy(document("day", "- w: {wait: P1D}\n- s: {set: {done: true}}\n"))
        run = await engine.start_run("test", "day", "latest", {})
        for _ in range(24):
            assert (await engine.get_run(run.id)).status == "waiting"
            assert len(engine._parts.timers) == 0
            clock.advance(3_600_000)
        assert (await engine.wait_run(run.id, 20)).output == {"done": True}


async def test_one_engine_per_store(settings: Settings) -> None:
    async with opened(settings):
        with pytest.raises(InfrastructureError):
            async with opened(settings):
                raise AssertionError("a second engine opened the same file")
