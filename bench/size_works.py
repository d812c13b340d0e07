"""W8: what a run, an event and a step cost when much is there already. Only this engine has it, over either store."""

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.spent import Spent, resident_kb
from bench.subjects.contract import STEPS
from bench.subjects.penstock_engine import PenstockEngine, chain, document, event
from bench.works import Figures, Sizes, each, quantile
from penstock.model.json_value import Json

ID_WIDTH: Final = 48
WARM_STEPS: Final = 50
EVENTS_AT_ONCE: Final = 500
LONG_LIVED: Final[dict[str, Json]] = {"penstockttl": 3_600}
PAYLOAD_AT_ONCE: Final = 10
SHORT_LIVED: Final[dict[str, Json]] = {"penstockttl": 0}
"""They wait for nobody: how the events of one size meet the listeners of the next is another question."""


@dataclass(frozen=True)
class Parked:
    """The ids of the runs that wait, by number, in a file: a list of a million would count as the engine's memory."""

    path: Path

    def count(self) -> int:
        """Numbers that were given out; some of their runs may have ended."""
        return self.path.stat().st_size // ID_WIDTH if self.path.exists() else 0

    def ended(self) -> int:
        return self.path.with_suffix(".ended").stat().st_size if self.path.with_suffix(".ended").exists() else 0

    def put(self, number: int, run: str) -> None:
        self._at(number, f"{run:<{ID_WIDTH}}".encode())

    def get(self, number: int) -> str:
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), ID_WIDTH, number * ID_WIDTH).decode().strip()

    def take(self, number: int) -> str:
        """The id of a run that is going to end; empty when it was taken before."""
        run = self.get(number)
        if run:
            self.put(number, "")
            with self.path.with_suffix(".ended").open("ab") as file:
                file.write(b".")
        return run

    def _at(self, number: int, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, line, number * ID_WIDTH)
        finally:
            os.close(descriptor)


async def park(subject: PenstockEngine, directory: Path, sizes: Sizes) -> Figures:
    """W8a, first process: starts runs until so many wait for an event each."""
    parked = Parked(directory / "parked")
    await subject.open("W8a")
    spent = await Spent.begin(subject)
    new = sizes.size - (parked.count() - parked.ended())
    began = time.perf_counter()
    await _start(subject, parked, new, sizes)
    seconds = time.perf_counter() - began
    figures = await spent.each(new, 1)
    return {
        "parked": sizes.size,
        "parking starts/s": new / seconds,
        "KB kept/parked run": figures["KB kept/run"],
        "MB when all are parked": resident_kb() / 1_024,
    }


async def among(subject: PenstockEngine, directory: Path, sizes: Sizes) -> Figures:
    """W8a, second process: opens the store, starts some more, and ends some by one event each, one after the other."""
    parked = Parked(directory / "parked")
    before, began = resident_kb(), time.perf_counter()
    await subject.open("W8a")
    figures = {"opening s": time.perf_counter() - began, "MB for opening": (resident_kb() - before) / 1_024}
    more = max(sizes.waiting, sizes.window)
    spent, began = await Spent.begin(subject), time.perf_counter()
    await _start(subject, parked, more, sizes)
    figures["starts/s"] = more / (time.perf_counter() - began)
    figures["CPU ms/start"] = (await spent.each(more, 1))["CPU ms/run"]
    spent = await Spent.begin(subject)
    took = [await _event(subject, parked, number) for number in _spread(parked.count(), sizes.window)]
    counts = {name.replace("/step", "/event"): value for name, value in spent.counted(len(took)).items()}
    figures["CPU ms/event"] = (await spent.each(len(took), 1))["CPU ms/run"]
    figures["event to end p50 ms"] = quantile(took, 0.50) * 1_000
    figures["event to end p99 ms"] = quantile(took, 0.99) * 1_000
    spent, began = await Spent.begin(subject), time.perf_counter()
    numbers = _spread(parked.count() - 1, sizes.window)
    await each(lambda at: _event_checked(subject, parked, numbers[at]), len(numbers), sizes.concurrent)
    figures["events at once/s"] = len(numbers) / (time.perf_counter() - began)
    figures["CPU ms/event at once"] = (await spent.each(len(numbers), 1))["CPU ms/run"]
    return {**figures, **counts, "MB at the end": resident_kb() / 1_024}


async def _start(subject: PenstockEngine, parked: Parked, count: int, sizes: Sizes) -> None:
    first = parked.count()

    async def one(offset: int) -> None:
        parked.put(first + offset, await subject.start("W8a", first + offset))

    await each(one, count, sizes.concurrent)


def _spread(count: int, wanted: int) -> list[int]:
    """Numbers from all over the range, none of them next to the one before."""
    stride = max(1, int(count * 0.381966) | 1)
    return list(dict.fromkeys(at * stride % count for at in range(wanted)))


async def _event_checked(subject: PenstockEngine, parked: Parked, number: int) -> None:
    await _event(subject, parked, number)


async def _event(subject: PenstockEngine, parked: Parked, number: int) -> float:
    while not (run := parked.take(number)):
        number += 1
    result = asyncio.ensure_future(subject.result(run))
    await asyncio.sleep(0)
    began = time.perf_counter()
    await subject.signal(run, number, SHORT_LIVED)
    assert await result == number
    return time.perf_counter() - began


async def history(subject: PenstockEngine, sizes: Sizes) -> Figures:
    """W8b: one run of many steps; what one more of them takes, beside what the first ones took."""
    stamps: list[float] = []
    steps = max(sizes.size, WARM_STEPS) + sizes.window

    async def tick(given: dict[str, int]) -> dict[str, int]:
        stamps.append(time.perf_counter())
        return {"n": given["n"] + 1}

    subject.engine.tool("tick", tick)
    await subject.open("W8b")
    again: Json = [{"more": {"when": f"${{ .n <= {steps} }}", "then": "step"}}]
    await subject.engine.deploy(document("w8b", [{"step": {"call": "tick"}}, {"again": {"switch": again}}]))
    spent = await Spent.begin(subject)
    assert await subject.result(await subject.start("W8b", 0)) == steps + 1
    early = _gaps(stamps[WARM_STEPS : WARM_STEPS + sizes.window])
    late = _gaps(stamps[-sizes.window :])
    figures = await spent.each(1, steps)
    return {
        "steps before": sizes.size,
        "first steps p50 ms": quantile(early, 0.50) * 1_000,
        "one more step p50 ms": quantile(late, 0.50) * 1_000,
        "one more step mean ms": statistics.fmean(late) * 1_000,
        "later/first": quantile(late, 0.50) / quantile(early, 0.50),
        "KB written/step": figures["KB written/run"] / steps,
        "KB kept/step": figures["KB kept/run"] / steps,
    }


def _gaps(stamps: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(stamps)]


async def kept_events(subject: PenstockEngine, sizes: Sizes) -> Figures:
    """W8d: the events are there first, all of one type; then runs begin to listen, each for one of them."""
    await subject.open("W8a")
    began = time.perf_counter()
    for first in range(0, sizes.size, EVENTS_AT_ONCE):
        numbers = range(first, min(first + EVENTS_AT_ONCE, sizes.size))
        await subject.engine.publish(*({**event(str(number), number), **LONG_LIVED} for number in numbers))
    figures = {"kept": sizes.size, "events taken in/s": sizes.size / (time.perf_counter() - began)}
    spent = await Spent.begin(subject)
    took: list[float] = []
    for number in _spread(sizes.size, min(sizes.size, sizes.window)):
        began = time.perf_counter()
        assert await subject.result(await subject.start("W8a", number)) == number
        took.append(time.perf_counter() - began)
    figures["start to end p50 ms"] = quantile(took, 0.50) * 1_000
    figures["start to end p99 ms"] = quantile(took, 0.99) * 1_000
    figures["CPU ms/run"] = (await spent.each(len(took), 1))["CPU ms/run"]
    return figures | {name.replace("/step", "/run"): value for name, value in spent.counted(len(took)).items()}


async def payload(subject: PenstockEngine, sizes: Sizes) -> Figures:
    """W8c: the five steps of W1, each of which returns other data of one size."""

    async def other(given: dict[str, Json]) -> dict[str, Json]:
        number = given["n"]
        assert isinstance(number, int)
        return {"n": number + 1, "data": os.urandom(sizes.size // 2).hex()}

    subject.engine.tool("other", other)
    await subject.open("W8c")
    await subject.engine.deploy(document("w8c", chain("other", STEPS["W1"])))
    numbers = iter(range(10**9))
    runs = 0

    async def loop(end: float) -> None:
        nonlocal runs
        while time.perf_counter() < end:
            number = next(numbers)
            assert await subject.result(await subject.start("W8c", number)) == number + STEPS["W1"]
            runs += 1

    await loop(time.perf_counter() + sizes.seconds / 4)
    runs, spent, began = 0, await Spent.begin(subject), time.perf_counter()
    await asyncio.gather(*(loop(began + sizes.seconds) for _ in range(PAYLOAD_AT_ONCE)))
    seconds = time.perf_counter() - began
    figures = await spent.each(runs, STEPS["W1"])
    steps = runs * STEPS["W1"]
    written = figures["KB written/run"] / STEPS["W1"]
    return {
        "bytes each step": sizes.size,
        "steps/s": steps / seconds,
        "MB of data/s": steps * sizes.size / seconds / 2**20,
        "CPU µs/step": figures["CPU µs/step"],
        "KB written/step": written,
        "written/data": written * 1_024 / sizes.size,
        "KB kept/step": figures["KB kept/run"] / STEPS["W1"],
    }


IN_ONE_PROCESS: Final = {"W8b": history, "W8c": payload, "W8d": kept_events}
