"""Python functions as tools: what they are given, what comes of what they give, and what they cannot do."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from penstock import Engine, Run, RunFaulted, ToolError
from penstock.errors import COMMUNICATION, RUNTIME, CallerError, Fault
from penstock.model.json_value import Json
from penstock.model.limits import MAX_FAULT_TEXT, MAX_FUNCTION_THREADS, MAX_JSON_DEPTH, MAX_VALUE_BYTES
from tests.sdk.conftest import calling

RETRYING = """
document: {dsl: '1.0.3', namespace: test, name: retrying, version: '1.0.0'}
do:
- again:
    try: [{one: {call: flaky}}]
    catch:
      errors: {with: {status: 503}}
      retry: {delay: {milliseconds: 1}, limit: {attempt: {count: 5}}}
"""


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine("memory:") as running:
        yield running


async def fault_of(engine: Engine, function: Callable[..., Json]) -> Fault:
    engine.tool("bad", function)
    with pytest.raises(RunFaulted) as ended:
        await engine.run(calling("bad"), timeout=20)
    return ended.value.fault


def raising(error: BaseException) -> Callable[[Json], Json]:
    def function(given: Json) -> Json:
        raise error

    return function


async def test_functions_are_given_what_they_name(engine: Engine) -> None:
    given: list[tuple[str, ...]] = []

    @engine.tool("none")
    def none(given_input: Json) -> Json:
        return given_input

    @engine.tool("both")
    async def both(given_input: Json, *, key: str, run_id: str) -> Json:
        given.append((key, run_id))
        return given_input

    @engine.tool("rest")
    def rest(given_input: Json, *more: Json, limit: int = 3, **others: Json) -> Json:
        return {**given_input, "more": len(more) + len(others)}

    await engine.deploy(calling("none", "both", "rest"))
    run = await engine.start("test/calls", {"n": 1})
    assert await run.result(20) == {"n": 1, "more": 0}
    ((key, run_id),) = given
    assert run_id == run.id
    assert key != run.id


@pytest.mark.parametrize(
    "function", [lambda: None, lambda *, key: None, lambda given, other: None, lambda given, key, /: None, "text"]
)
def test_what_cannot_be_called_with_an_input_is_no_tool(function: Callable[..., Json]) -> None:
    with pytest.raises(CallerError, match="the tool 'bad'"):
        Engine("memory:").tool("bad", function)


def test_a_capability_needs_a_name_that_tools_can_have() -> None:
    with pytest.raises(CallerError):
        Engine("memory:").tool("no name", lambda given: given)


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_exception_becomes_a_fault_of_the_task(engine: Engine, is_async: bool) -> None:
    def plain(given: Json) -> Json:
        raise KeyError("price")

    async def awaited(given: Json) -> Json:
        raise KeyError("price")

    fault = await fault_of(engine, awaited if is_async else plain)
    assert (fault.type, fault.status, fault.title, fault.detail) == (RUNTIME, 500, "KeyError", "'price'")
    assert fault.instance == "/do/0/task0"


async def test_a_tool_error_keeps_what_it_says(engine: Engine) -> None:
    fault = await fault_of(engine, raising(ToolError(409, "Taken", "order 7 exists", type=COMMUNICATION)))
    assert (fault.type, fault.status, fault.title, fault.detail) == (COMMUNICATION, 409, "Taken", "order 7 exists")


async def test_any_exception_may_carry_a_fault(engine: Engine) -> None:
    error = RuntimeError("not shown")
    error.fault = Fault(RUNTIME, 422, "Odd", extra={"field": "count"})  # type: ignore[attr-defined]
    fault = await fault_of(engine, raising(error))
    assert (fault.status, fault.title, fault.extra) == (422, "Odd", {"field": "count"})


async def test_the_text_of_a_fault_is_bounded(engine: Engine) -> None:
    fault = await fault_of(engine, raising(ValueError("x" * 10 * MAX_FAULT_TEXT)))
    assert fault.detail == "x" * MAX_FAULT_TEXT


async def test_a_function_that_exits_ends_its_task_only(engine: Engine) -> None:
    assert (await fault_of(engine, raising(SystemExit(3)))).title == "SystemExit"

    async def cancelled(given: Json) -> Json:
        raise asyncio.CancelledError

    assert (await fault_of(engine, cancelled)).title == "CancelledError"


async def test_secrets_of_the_workflow_are_masked_in_faults(engine: Engine) -> None:
    await engine.put_secret("token", "s3cr3t-token")
    engine.tool("bad", raising(ValueError("the bank refused s3cr3t-token")))
    with pytest.raises(RunFaulted) as ended:
        await engine.run(calling("bad", more="use: {secrets: [token]}\n"), timeout=20)
    assert ended.value.fault.detail == "the bank refused ***"


def nested(depth: int) -> Json:
    value: Json = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ({1, 2}, "set"),
        (2**64, "64 bits"),
        (float("nan"), "not finite"),
        ({1: 2}, "key"),
        (nested(MAX_JSON_DEPTH + 2), "nested"),
        ("x" * MAX_VALUE_BYTES, "larger"),
    ],
)
async def test_an_output_that_is_not_json_is_a_fault(engine: Engine, output: Json, word: str) -> None:
    fault = await fault_of(engine, lambda given: output)
    assert (fault.title, fault.status) == ("Output not usable", 500)
    assert word in fault.detail


async def test_a_large_output_within_the_limit_is_kept(engine: Engine) -> None:
    text = "x" * (MAX_VALUE_BYTES - 2)
    engine.tool("large", lambda given: text)
    assert await engine.run(calling("large"), timeout=20) == text


async def test_what_a_function_keeps_of_its_input_changes_nothing(engine: Engine) -> None:
    def spoil(given: Json) -> Json:
        given["n"] = 2
        return {"seen": given["n"]}

    engine.tool("spoil", spoil)
    run = await start(engine, calling("spoil"), {"n": 1})
    assert await run.result(20) == {"seen": 2}
    assert (await run.view()).input == {"n": 1}


async def start(engine: Engine, document: str, given: Json = None) -> Run:
    return await engine.start(await engine.deploy(document), given)


async def test_the_workflow_retries_with_a_new_key_after_a_failure(engine: Engine) -> None:
    keys: list[str] = []

    @engine.tool("flaky")
    def flaky(given: Json, *, key: str) -> Json:
        keys.append(key)
        if len(keys) < 3:
            raise ToolError(503, "Busy")
        return {"tries": len(keys)}

    assert await engine.run(RETRYING, timeout=20) == {"tries": 3}
    assert len(set(keys)) == 3


async def test_the_workflow_retries_with_the_same_key_when_the_outcome_is_unknown(engine: Engine) -> None:
    keys: list[str] = []

    @engine.tool("flaky")
    async def flaky(given: Json, *, key: str) -> Json:
        keys.append(key)
        if len(keys) < 3:
            raise ToolError(503, "Lost", unknown_outcome=True)
        return {"tries": len(keys)}

    assert await engine.run(RETRYING, timeout=20) == {"tries": 3}
    assert len(set(keys)) == 1


async def test_a_run_waits_for_a_function_that_nobody_registered(engine: Engine) -> None:
    run = await start(engine, calling("late"), {"n": 1})
    with pytest.raises(TimeoutError):
        await run.result(0.05)
    (task,) = (await run.view()).tasks
    assert "no tool provides the capability 'late'" in task.reason
    engine.tool("other", lambda given: 0)
    engine.tool("late", lambda given: given["n"] + 1)
    assert await run.result(20) == 2


async def test_cancelling_the_run_cancels_an_async_function(engine: Engine) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @engine.tool("forever")
    async def forever(given: Json) -> Json:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    run = await start(engine, calling("forever"))
    await began.wait()
    await run.cancel()
    await asyncio.wait_for(ended.wait(), 20)


async def test_cancelling_the_run_gives_a_blocking_function_up(engine: Engine) -> None:
    began, gate, done = threading.Event(), threading.Event(), threading.Event()

    @engine.tool("blocks")
    def blocks(given: Json) -> Json:
        began.set()
        gate.wait(20)
        done.set()

    run = await start(engine, calling("blocks"))
    await asyncio.to_thread(began.wait, 20)
    await run.cancel()
    assert await run.status() == "cancelled"
    gate.set()
    assert await asyncio.to_thread(done.wait, 20), "it goes on, but nobody listens"
    assert await run.status() == "cancelled"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_deadline_ends_the_task_whatever_the_function_does(engine: Engine, is_async: bool) -> None:
    gate = threading.Event()

    async def awaited(given: Json) -> Json:
        await asyncio.Event().wait()

    def blocking(given: Json) -> Json:
        gate.wait(20)

    engine.tool("slow", awaited if is_async else blocking)
    with pytest.raises(RunFaulted) as ended:
        await engine.run(calling("slow").replace("slow}", "slow, timeout: {after: {milliseconds: 30}}}"), timeout=20)
    gate.set()
    assert ended.value.fault.status == 408


@pytest.mark.slow
async def test_a_call_of_a_suspended_run_does_not_outlive_its_deadline(engine: Engine) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @engine.tool("forever")
    async def forever(given: Json) -> Json:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    run = await start(engine, calling("forever").replace("forever}", "forever, timeout: {after: {milliseconds: 30}}}"))
    await began.wait()
    await engine.runtime.suspend(run.id)
    await asyncio.wait_for(ended.wait(), 20)
    assert await run.status() == "suspended"
    await engine.runtime.resume(run.id)
    with pytest.raises(RunFaulted, match="408"):
        await run.result(20)


async def test_a_call_that_is_begun_again_while_it_is_put_aside_can_be_cancelled(engine: Engine) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def late(given: Json) -> Json:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    directory = engine.runtime._parts.directory
    provides = directory.provides

    def missed(capability: str) -> bool:
        """Registers the function at the very moment at which it is missed."""
        directory.provides = provides
        asyncio.get_running_loop().call_soon(engine.tool, "late", late)
        return provides(capability)

    directory.provides = missed
    run = await start(engine, calling("late"))
    await began.wait()
    await run.cancel()
    await asyncio.wait_for(ended.wait(), 20)


async def test_functions_that_block_hold_up_neither_the_loop_nor_async_ones(engine: Engine) -> None:
    gate, began = threading.Event(), threading.Semaphore(0)

    @engine.tool("blocks")
    def blocks(given: Json) -> Json:
        began.release()
        gate.wait(20)
        return given

    async def nimble(given: Json) -> Json:
        return {"nimble": True}

    engine.tool("nimble", nimble)
    deployed = await engine.deploy(calling("blocks"))
    runs = [await engine.start(deployed, {"n": n}) for n in range(MAX_FUNCTION_THREADS + 5)]
    for _ in range(MAX_FUNCTION_THREADS):
        assert await asyncio.to_thread(began.acquire, timeout=20)
    assert await engine.run(calling("nimble", name="nimble"), timeout=20) == {"nimble": True}
    assert not began.acquire(blocking=False), "no more threads than the limit"
    gate.set()
    assert [await run.result(20) for run in runs] == [{"n": n} for n in range(MAX_FUNCTION_THREADS + 5)]


@pytest.mark.slow
async def test_an_async_function_that_ignores_cancellation_does_not_keep_the_engine_open() -> None:
    began, free = asyncio.Event(), asyncio.Event()

    async def stubborn(given: Json) -> Json:
        began.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    async with Engine("memory:") as engine:
        engine.tool("stubborn", stubborn)
        run = await start(engine, calling("stubborn"))
        await began.wait()
        await run.cancel()
    free.set()
