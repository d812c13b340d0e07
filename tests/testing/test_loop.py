"""The simulated event loop: asyncio's primitives work on it, time jumps, and a killed process does nothing more."""

import asyncio
import time

import pytest

from penstock.testing.loop import Process, SimulatedLoop, Stuck, current_process


def test_time_jumps_to_the_next_timer() -> None:
    loop = SimulatedLoop()
    began = time.monotonic()
    loop.run(asyncio.sleep(86_400))
    assert loop.time() >= 86_400
    assert time.monotonic() - began < 5


def test_the_primitives_of_asyncio_work() -> None:
    async def work() -> list[str]:
        found: list[str] = []
        event, lock, queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue[str]()

        async def one() -> None:
            await event.wait()
            async with lock:
                await queue.put("put")

        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            asyncio.get_running_loop().call_later(1, event.set)
            found.append(await queue.get())
        try:
            async with asyncio.timeout(2):
                await asyncio.Event().wait()
        except TimeoutError:
            found.append("timeout")
        found += await asyncio.gather(asyncio.sleep(2, "late"), asyncio.sleep(1, "early"))
        return found

    assert SimulatedLoop().run(work()) == ["put", "timeout", "late", "early"]


def test_a_killed_process_does_nothing_more_not_even_a_finally() -> None:
    loop, done = SimulatedLoop(), list[str]()

    async def child() -> None:
        try:
            await asyncio.sleep(1)
            done.append("woke up")
        finally:
            done.append("finally")

    async def parent() -> None:
        assert current_process() is not None
        asyncio.get_running_loop().call_later(1, done.append, "timer")
        await asyncio.create_task(child())

    async def world() -> None:
        process = Process("engine")
        loop.spawn(process, parent())
        await asyncio.sleep(0.5)
        loop.kill(process)
        await asyncio.sleep(10)
        assert current_process() is None
        assert done == []

    loop.run(world())
    loop.close()


def test_a_world_in_which_nothing_is_left_to_happen_says_so() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    loop = SimulatedLoop()
    with pytest.raises(Stuck, match="nothing is left"):
        loop.run(wait())
    loop.close()


def test_a_world_that_goes_round_in_circles_says_so() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    loop = SimulatedLoop(most_callbacks=1_000)
    with pytest.raises(Stuck, match="more happens"):
        loop.run(spin())
    loop.close()


def test_what_nobody_looks_at_is_kept() -> None:
    async def work() -> None:
        def fail() -> None:
            raise ValueError("unseen")

        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(1)

    loop = SimulatedLoop()
    loop.run(work())
    assert "unseen" in loop.failures[0]


def test_a_process_that_stands_still_goes_on_late() -> None:
    loop, told = SimulatedLoop(), list[tuple[str, int]]()

    async def ticking() -> None:
        for number in range(3):
            await asyncio.sleep(1)
            told.append((f"tick {number}", round(loop.time())))

    async def world() -> None:
        process = Process("engine")
        loop.spawn(process, ticking())
        await asyncio.sleep(1.5)
        loop.pause(process)
        await asyncio.sleep(10)
        told.append(("resumed", round(loop.time())))
        loop.resume(process)
        await asyncio.sleep(3)

    loop.run(world())
    loop.close()
    assert told == [("tick 0", 1), ("resumed", 12), ("tick 1", 12), ("tick 2", 13)]


def test_a_process_can_be_ended_between_any_two_callbacks() -> None:
    loop, done = SimulatedLoop(), list[int]()

    async def work() -> None:
        for number in range(10):
            done.append(number)
            await asyncio.sleep(0)

    async def world() -> None:
        process = Process("engine")
        loop.interrupt(process, 4, lambda: loop.kill(process))
        loop.spawn(process, work())
        await asyncio.sleep(1)

    loop.run(world())
    loop.close()
    assert done == [0, 1, 2, 3]
