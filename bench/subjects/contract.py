"""What a subject has to offer, and what its steps do. Standard library only: the peers' environment reads it, too."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

STEPS = {"W1": 5, "W2": 3, "W4": 1_000, "W6": 5, "W7": 1}
"""How many steps a run of a work has."""
HELD_STEP = 3
"""The step in which the runs of W6 stand when the process is killed."""


@dataclass
class Crash:
    """What the steps of W6 note. In the first life the third step never ends; in the second nothing waits."""

    runs: int
    holding: bool
    begun: Counter[tuple[int, int]] = field(default_factory=Counter)
    reached: Counter[int] = field(default_factory=Counter)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, run: int, step: int) -> None:
        self.note(run, step)
        if self.holds(step):
            await asyncio.Event().wait()

    def holds(self, step: int) -> bool:
        return step == HELD_STEP and self.holding

    def note(self, run: int, step: int) -> None:
        """A step has begun."""
        self.begun[run, step] += 1
        self.reached[step] += self.begun[run, step] == 1
        if self.reached[step] == self.runs:
            if self.holds(step):
                self.held.set()
            if step == STEPS["W6"]:
                self.ended.set()

    def again(self) -> int:
        """In the second life: how many steps ran that had ended, on disk, in the first."""
        return sum(times for (_, step), times in self.begun.items() if step < HELD_STEP)


@dataclass(frozen=True)
class Setup:
    """What a subject gets: a directory, a database if it needs one, the port of the service, and W5's wait."""

    directory: Path
    database: str
    service_port: int
    timer_seconds: int
    crash: Crash


@dataclass(frozen=True)
class Disk:
    """Bytes: what is kept now, None where it cannot be told; and all that was written so far, logs included."""

    kept: int | None
    written: int


class Subject(Protocol):
    """A run has a number, unique within its work. Starting is over when the run is on disk.

    `processes` are those beside this one that are the subject's own; `counts` are totals that it counts itself.
    """

    async def open(self, work: str) -> None: ...
    async def close(self) -> None: ...
    async def start(self, work: str, number: int) -> str: ...
    async def result(self, handle: str) -> object: ...
    async def signal(self, handle: str, number: int) -> None: ...
    async def disk(self) -> Disk: ...
    def processes(self) -> list[int]: ...
    def counts(self) -> dict[str, float]: ...
    def version(self) -> str: ...


@runtime_checkable
class WithInterface(Protocol):
    """A subject with an HTTP interface of its own: port and path of W7 there."""

    @property
    def address(self) -> tuple[int, str]: ...


def stamp() -> float:
    """Seconds; the two ends of a wait are told apart by it."""
    return time.time()
