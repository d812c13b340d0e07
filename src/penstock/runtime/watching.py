"""Wakes those who watch a run or the events: by memory, never by polling."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from penstock.kernel.state import RunState


class Watching:
    """A watcher reads the store after each wake-up, so that a wake-up that comes too often does no harm."""

    def __init__(self) -> None:
        self._runs: dict[str, set[asyncio.Event]] = {}
        self._events: set[asyncio.Event] = set()
        self._ends: dict[str, set[asyncio.Future[RunState]]] = {}

    def moved(self, state: RunState) -> None:
        """A run has new facts, and is on disk in this state."""
        for event in self._runs.get(state.run_id, ()):
            event.set()
        if state.ended:
            for waiter in self._ends.get(state.run_id, ()):
                if not waiter.done():
                    waiter.set_result(state)

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
