"""The works, each a function over a subject that is open. Figures are by name, and every result is checked."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.spent import Spent, resident_kb
from bench.subjects.contract import STEPS, Subject

Figures = dict[str, float]


@dataclass(frozen=True)
class Sizes:
    """How much of each work is done."""

    seconds: float = 3.0  # of a closed loop
    warm: int = 60  # runs before anything is measured
    alone: int = 60  # runs one after the other, for as long as the loop at most
    concurrent: int = 100
    waiting: int = 200  # runs that wait for events
    forks: int = 1  # one after the other
    timers: int = 100
    timer_seconds: int = 3
    crashed: int = 500
    size: int = 0  # of the one thing that W8 and W9 make larger
    window: int = 200  # steps or events, one after the other, that W8 times


async def closed_loop(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W1 and W2: the time of one run alone, then as many as can be done with a number of them at once."""
    numbers = iter(range(10**9))

    async def one() -> float:
        number, began = next(numbers), time.perf_counter()
        assert await subject.result(await subject.start(work, number)) == number + STEPS[work]
        return time.perf_counter() - began

    await _until(one, time.perf_counter() + sizes.seconds, sizes.warm)
    spent = await Spent.begin(subject)
    figures, runs = await latency_alone(one, sizes)
    by_itself = {f"alone {name}": value for name, value in spent.counted(runs * STEPS[work]).items()}
    spent = await Spent.begin(subject)
    figures |= await throughput(one, sizes)
    return {**figures, **await spent.each(int(figures["runs"]), STEPS[work]), **by_itself}


async def closed_loop_of(one: Callable[[], Awaitable[float]], sizes: Sizes) -> Figures:
    """The same for a subject in other processes; what it spends cannot be told from here."""
    await _until(one, time.perf_counter() + sizes.seconds, sizes.warm)
    figures, _ = await latency_alone(one, sizes)
    return {**figures, **await throughput(one, sizes)}


async def latency_alone(one: Callable[[], Awaitable[float]], sizes: Sizes) -> tuple[Figures, int]:
    alone = await _until(one, time.perf_counter() + sizes.seconds, sizes.alone)
    return {"alone p50 ms": quantile(alone, 0.50) * 1_000, "alone p99 ms": quantile(alone, 0.99) * 1_000}, len(alone)


async def throughput(one: Callable[[], Awaitable[float]], sizes: Sizes) -> Figures:
    began = time.perf_counter()
    loops = [_until(one, began + sizes.seconds, 10**9) for _ in range(sizes.concurrent)]
    took = [seconds for loop in await asyncio.gather(*loops) for seconds in loop]
    seconds = time.perf_counter() - began
    return {
        "runs": len(took),
        "runs/s": len(took) / seconds,
        "at once p50 ms": quantile(took, 0.50) * 1_000,
        "at once p99 ms": quantile(took, 0.99) * 1_000,
    }


async def events(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W3: many runs wait for one event each; then the events come."""
    memory, began = resident_kb(), time.perf_counter()
    handles: dict[int, str] = {}

    async def start(number: int) -> None:
        handles[number] = await subject.start(work, number)

    await each(start, sizes.waiting, sizes.concurrent)
    started = time.perf_counter() - began
    await asyncio.sleep(1)  # no subject tells when a run stands at its wait; a second is plenty for all of them
    parked = (resident_kb() - memory) / sizes.waiting
    results = [asyncio.ensure_future(subject.result(handles[number])) for number in range(sizes.waiting)]
    began = time.perf_counter()
    await each(lambda number: subject.signal(handles[number], number), sizes.waiting, sizes.concurrent)
    assert await asyncio.gather(*results) == list(range(sizes.waiting))
    return {
        "runs": sizes.waiting,
        "starts/s": sizes.waiting / started,
        "events to ends/s": sizes.waiting / (time.perf_counter() - began),
        "KB each waiting": parked,
    }


async def forks(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W4: a run with a thousand branches, one after the other; the first one is not counted."""
    took: list[float] = []

    async def one(number: int) -> None:
        began = time.perf_counter()
        assert await subject.result(await subject.start(work, number)) == STEPS[work]
        took.append(time.perf_counter() - began)

    await one(0)
    spent = await Spent.begin(subject)
    for number in range(1, 1 + sizes.forks):
        await one(number)
    mean = sum(took[1:]) / sizes.forks
    return {"runs": sizes.forks, "ms": mean * 1_000, **await spent.each(sizes.forks, STEPS[work])}


async def timers(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W5: runs that wait for a time; by how much they wake too late."""
    began = time.perf_counter()
    handles: list[str] = []

    async def start(number: int) -> None:
        handles.append(await subject.start(work, number))

    await each(start, sizes.timers, sizes.concurrent)
    started = time.perf_counter() - began
    late = await asyncio.gather(*(subject.result(handle) for handle in handles))
    seconds = [one for one in late if isinstance(one, float)]
    assert len(seconds) == sizes.timers and min(seconds) > -0.005, "a timer that fires early is wrong"
    return {
        "runs": sizes.timers,
        "starting s": started,
        "late p50 ms": quantile(seconds, 0.50) * 1_000,
        "late p99 ms": quantile(seconds, 0.99) * 1_000,
        "late max ms": max(seconds) * 1_000,
    }


WORKS: Final[Mapping[str, Callable[[Subject, str, Sizes], Awaitable[Figures]]]] = {
    "W1": closed_loop,
    "W2": closed_loop,
    "W3": events,
    "W4": forks,
    "W5": timers,
}
"""Those that are measured from inside one process; bench/crash.py and bench/over_http.py have the other two."""


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _until(one: Callable[[], Awaitable[float]], end: float, most: int) -> list[float]:
    took = [await one()]
    while len(took) < most and time.perf_counter() < end:
        took.append(await one())
    return took


async def each(do: Callable[[int], Awaitable[None]], count: int, concurrent: int) -> None:
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            await do(number)

    await asyncio.gather(*(client() for _ in range(concurrent)))
