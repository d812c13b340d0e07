"""What a subject has to offer, and what its steps do. Standard library only: the peers' environment reads it, too."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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
        self.begun[run, step] += 1
        self.reached[step] += self.begun[run, step] == 1
        if step == HELD_STEP and self.holding:
            if self.reached[step] == self.runs:
                self.held.set()
            await asyncio.Event().wait()
        if step == STEPS["W6"] and self.reached[step] == self.runs:
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


class Subject(Protocol):
    """A run has a number, unique within its work. Starting is over when the run is on disk."""

    async def open(self, work: str) -> None: ...
    async def close(self) -> None: ...
    async def start(self, work: str, number: int) -> str: ...
    async def result(self, handle: str) -> object: ...
    async def signal(self, handle: str, number: int) -> None: ...
    def version(self) -> str: ...


def stamp() -> float:
    """Seconds; the two ends of a wait are told apart by it."""
    return time.time()
