"""Wakes those who watch a run or the events: by memory, never by polling."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Watching:
    """A watcher reads the store after each wake-up, so that a wake-up that comes too often does no harm."""

    def __init__(self) -> None:
        self._runs: dict[str, set[asyncio.Event]] = {}
        self._events: set[asyncio.Event] = set()

    def moved(self, run_id: str, *, ended: bool) -> None:
        """A run has new facts. `ended` wakes the same watchers: whoever waits for the end looks at the status."""
        for event in self._runs.get(run_id, ()):
            event.set()

    def event_came(self) -> None:
        """An event was taken in or published."""
        for event in self._events:
            event.set()

    def close(self) -> None:
        """Wakes everybody, because the engine stops."""
        for event in (*self._events, *(event for watchers in self._runs.values() for event in watchers)):
            event.set()

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
