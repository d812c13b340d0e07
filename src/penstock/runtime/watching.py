"""Wakes those who watch a run or the events: by memory, never by polling."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from penstock.kernel.state import RunState


class Watching:
    """A watcher reads the store after each wake-up, so that a wake-up that comes too often does no harm.

    `began` is called with each run that somebody begins to watch.
    """

    def __init__(self) -> None:
        self.began: Callable[[str], None] = _nothing
        self._runs: dict[str, set[asyncio.Event]] = {}
        self._events: set[asyncio.Event] = set()
        self._ends: dict[str, set[asyncio.Future[RunState]]] = {}

    def moved(self, state: RunState) -> None:
        """A run has new facts, and is on disk in this state."""
        self.wake(state.run_id)
        if state.ended:
            for waiter in self._ends.get(state.run_id, ()):
                if not waiter.done():
                    waiter.set_result(state)

    def wake(self, run_id: str) -> None:
        """A run may have moved."""
        for event in self._runs.get(run_id, ()):
            event.set()

    def gone(self, run_id: str, error: Exception) -> None:
        """There is no such run any more."""
        self.wake(run_id)
        for waiter in self._ends.get(run_id, ()):
            if not waiter.done():
                waiter.set_exception(error)

    def watches(self, run_id: str) -> bool:
        """Whether somebody watches the run or waits for its end."""
        return run_id in self._runs or run_id in self._ends

    def awaits_end(self, run_id: str) -> bool:
        return run_id in self._ends

    def watched(self) -> list[str]:
        """The runs that somebody watches or waits for."""
        return list(dict.fromkeys((*self._runs, *self._ends)))

    def event_came(self) -> None:
        """An event was taken in or published."""
        for event in self._events:
            event.set()

    def close(self) -> None:
        """Wakes everybody, because the engine stops."""
        for event in (*self._events, *(event for watchers in self._runs.values() for event in watchers)):
            event.set()
        for waiter in [waiter for waiters in self._ends.values() for waiter in waiters]:
            waiter.cancel()

    @contextmanager
    def end(self, run_id: str) -> Generator[asyncio.Future[RunState]]:
        """The last state of the run, as soon as it is on disk. Cancelled when the engine stops."""
        waiter: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        self._ends.setdefault(run_id, set()).add(waiter)
        self.began(run_id)
        try:
            yield waiter
        finally:
            waiters = self._ends[run_id]
            waiters.discard(waiter)
            if not waiters:
                del self._ends[run_id]

    @contextmanager
    def run(self, run_id: str) -> Generator[asyncio.Event]:
        """An event that is set whenever the run moved."""
        watcher = asyncio.Event()
        self._runs.setdefault(run_id, set()).add(watcher)
        self.began(run_id)
        try:
            yield watcher
        finally:
            watchers = self._runs[run_id]
            watchers.discard(watcher)
            if not watchers:
                del self._runs[run_id]

    @contextmanager
    def events(self) -> Generator[asyncio.Event]:
        """An event that is set whenever an event came."""
        watcher = asyncio.Event()
        self._events.add(watcher)
        try:
            yield watcher
        finally:
            self._events.discard(watcher)


def _nothing(run_id: str) -> None:
    """Nobody has to know."""
