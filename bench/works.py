"""The works, each a function over a subject that is open. Figures are by name, and every result is checked."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


async def closed_loop(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W1 and W2: the time of one run alone, then as many as can be done with a number of them at once."""
    numbers = iter(range(10**9))

    async def one() -> float:
        number, began = next(numbers), time.perf_counter()
        assert await subject.result(await subject.start(work, number)) == number + STEPS[work]
        return time.perf_counter() - began

    return await closed_loop_of(one, sizes)


async def closed_loop_of(one: Callable[[], Awaitable[float]], sizes: Sizes) -> Figures:
    await _until(one, time.perf_counter() + sizes.seconds, sizes.warm)
    alone = await _until(one, time.perf_counter() + sizes.seconds, sizes.alone)
    spent, began = _Spent(), time.perf_counter()
    loops = [_until(one, began + sizes.seconds, 10**9) for _ in range(sizes.concurrent)]
    took = [seconds for loop in await asyncio.gather(*loops) for seconds in loop]
    seconds = time.perf_counter() - began
    return {
        "runs": len(took),
        "runs/s": len(took) / seconds,
        "alone p50 ms": quantile(alone, 0.50) * 1_000,
        "alone p99 ms": quantile(alone, 0.99) * 1_000,
        "at once p50 ms": quantile(took, 0.50) * 1_000,
        "at once p99 ms": quantile(took, 0.99) * 1_000,
        **spent.each(len(took)),
    }


async def events(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W3: many runs wait for one event each; then the events come."""
    memory, began = _resident_kb(), time.perf_counter()
    handles: dict[int, str] = {}

    async def start(number: int) -> None:
        handles[number] = await subject.start(work, number)

    await _each(start, sizes.waiting, sizes.concurrent)
    started = time.perf_counter() - began
    await asyncio.sleep(1)  # no subject tells when a run stands at its wait; a second is plenty for all of them
    parked = (_resident_kb() - memory) / sizes.waiting
    results = [asyncio.ensure_future(subject.result(handles[number])) for number in range(sizes.waiting)]
    began = time.perf_counter()
    await _each(lambda number: subject.signal(handles[number], number), sizes.waiting, sizes.concurrent)
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
    spent = _Spent()
    for number in range(1 + sizes.forks):
        if number == 1:
            spent = _Spent()
        began = time.perf_counter()
        assert await subject.result(await subject.start(work, number)) == STEPS[work]
        took.append(time.perf_counter() - began)
    return {"runs": sizes.forks, "ms": sum(took[1:]) / sizes.forks * 1_000, **spent.each(sizes.forks)}


async def timers(subject: Subject, work: str, sizes: Sizes) -> Figures:
    """W5: runs that wait for a time; by how much they wake too late."""
    began = time.perf_counter()
    handles: list[str] = []

    async def start(number: int) -> None:
        handles.append(await subject.start(work, number))

    await _each(start, sizes.timers, sizes.concurrent)
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


async def _each(do: Callable[[int], Awaitable[None]], count: int, concurrent: int) -> None:
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            await do(number)

    await asyncio.gather(*(client() for _ in range(concurrent)))


class _Spent:
    """What this process has used since: its processor time and what it made the kernel write."""

    def __init__(self) -> None:
        self._cpu, self._bytes = _cpu_seconds(), _written_bytes()

    def each(self, runs: int) -> Figures:
        return {
            "CPU ms/run": (_cpu_seconds() - self._cpu) / runs * 1_000,
            "KB written/run": (_written_bytes() - self._bytes) / runs / 1_024,
        }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _written_bytes() -> int:
    counters = Path("/proc/self/io")
    if not counters.exists():
        return 0
    return int(counters.read_text().split("\nwrite_bytes: ")[1].split()[0])


def _resident_kb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return float(status.read_text().split("VmRSS:")[1].split()[0])
