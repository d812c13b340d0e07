"""The promises of the mission that only a whole engine can keep, each as one story."""

import asyncio
import sqlite3

import pytest

from penstock.errors import TIMEOUT
from penstock.kernel import codec, step
from penstock.kernel.state import RunState
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.clock import ManualClock
from penstock.runtime.engine import Engine
from penstock.runtime.envelopes import pack_state
from penstock.runtime.settings import Settings

from .conftest import Service, document, opened, run_to_end

DAY_MS = 24 * 3600 * 1000


@pytest.mark.mission("M008")
async def test_the_log_of_a_run_is_whole_and_rebuilds_its_state(engine: Engine, service: Service) -> None:
    text = document(
        "logged",
        f"- c: {{call: http, with: {{method: post, endpoint: '{service.url}/p', body: '${{ [range(.n)] }}'}}}}\n"
        "- l: {listen: {to: {one: {with: {type: com.go}}}}}\n- s: {set: {got: '${ . }', big: '${ [range(2000)] }'}}\n",
    )
    await engine.deploy(text)
    run = await engine.start_run("test", "logged", "latest", {"n": 3})
    await engine.publish([{"specversion": "1.0", "id": "1", "source": "t", "type": "com.go", "data": {"k": 1}}])
    run = await engine.wait_run(run.id, 20)
    assert run.status == "completed", run

    events = (await engine.history(run.id, limit=100)).events
    types = [event["type"].removeprefix("io.serverlessworkflow.") for event in events]
    assert types[0] == "workflow.started.v1" and types[-1] == "workflow.completed.v1"
    assert [e["data"]["output"] for e in events if e["type"].endswith("task.completed.v1")][1] == [{"k": 1}]

    store = engine._parts.store
    program = await engine._parts.programs.get(WorkflowIdentity("test", "logged", "1.0.0"))
    assert program is not None
    stored = await store.load_run(run.id)
    assert stored is not None
    state: RunState | None = None
    for row in await store.journal(run.id, 0, 1000):
        entry, references = codec.decode_entry(row.body)
        values = await store.load_values(run.id, [value.digest for value in references])
        for value in references:
            value.load(values[value.digest])
        state = step(program, state, entry.message, {answer.key: answer for answer in entry.answers}).state
        assert state.version == row.seq
    assert state is not None
    assert pack_state(state)[0] == stored.state


@pytest.mark.mission("M014")
async def test_a_hanging_service_ends_in_a_timeout_error_at_the_bound(engine: Engine, service: Service) -> None:
    service.gate.clear()
    call = f"{{call: http, with: {{method: get, endpoint: '{service.url}/p'}}, timeout: {{after: PT0.2S}}}}"
    run = await run_to_end(engine, document("hangs", f"- c: {call}\n"))
    assert (run.status, run.error["type"], run.error["instance"]) == ("faulted", TIMEOUT, "/do/0/c")
    assert run.ended_at - run.created_at >= 200
    await asyncio.wait_for(service.dropped.wait(), 10)
    listening = "- l: {listen: {to: {one: {with: {type: never}}}}, timeout: {after: PT0.1S}}\n"
    assert (await run_to_end(engine, document("deaf", listening))).error["status"] == 408
    whole = document("whole", "- w: {wait: PT1H}\n", more="timeout: {after: PT0.1S}\n")
    assert (await run_to_end(engine, whole)).error["status"] == 408


@pytest.mark.mission("M019")
async def test_a_cancelled_run_starts_no_further_step(engine: Engine, service: Service) -> None:
    service.gate.clear()
    call = f"{{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}"
    await engine.deploy(document("stops", f"- one: {call}\n- two: {call}\n"))
    run = await engine.start_run("test", "stops", "latest", {})
    await asyncio.wait_for(service.came.wait(), 10)
    ended = await engine.cancel(run.id)
    service.gate.set()
    await run_to_end(engine, document("after", f"- one: {call}\n"))
    assert ended.status == "cancelled"
    run = await engine.get_run(run.id)
    assert [(task.name, task.status) for task in run.tasks] == [("one", "cancelled")]
    assert len(service.keys) == 2


@pytest.mark.mission("M020")
async def test_a_sleep_of_thirty_days_outlives_restarts_and_wakes_on_time(settings: Settings) -> None:
    clock = ManualClock()
    async with opened(settings, clock=clock) as engine:
        await engine.deploy(document("sleeps", "- w: {wait: P30D}\n- s: {set: {woke: '${ now * 1000 | floor }'}}\n"))
        run = await engine.start_run("test", "sleeps", "latest", {})
        due_at = clock.now_ms() + 30 * DAY_MS
        assert run.status == "waiting"
    clock.advance(29 * DAY_MS)
    async with opened(settings, clock=clock) as engine:
        assert (await engine.get_run(run.id)).status == "waiting"
        clock.advance(DAY_MS - 1)
        assert (await engine.wait_run(run.id, 0.05)).status == "waiting"
        clock.advance(1)
        woken = await engine.wait_run(run.id, 20)
        assert woken.output == {"woke": due_at}
    clock.advance(DAY_MS)


@pytest.mark.mission("M009")
async def test_a_step_that_cannot_be_stored_has_no_effect(settings: Settings, service: Service) -> None:
    async with opened(settings) as engine:
        call = f"{{call: http, with: {{method: post, endpoint: '{service.url}/p', body: {{a: 1}}}}}}"
        await engine.deploy(document("effect", f"- c: {call}\n"))
        path = settings.store.removeprefix("sqlite:")
        with sqlite3.connect(path) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
        with pytest.raises(Exception, match=r"refused|disk is full|suspended|store"):
            await engine.start_run("test", "effect", "latest", {})
        assert service.keys == []
        with sqlite3.connect(path) as other:
            other.execute("DROP TRIGGER refuse")
        run = await engine.start_run("test", "effect", "latest", {})
        assert (await engine.wait_run(run.id, 20)).status == "completed"
        assert len(service.keys) == 1
