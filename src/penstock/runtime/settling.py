"""Runs whose new listeners have not looked back yet: newer events wait for them, so that order holds."""

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from penstock.model.limits import LOOK_BACK_WAIT_MS


class Settling:
    """`begin` before the turn with the new listeners is committed, `end` when they have looked back."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._runs: dict[str, list[frozenset[str]]] = {}
        """The filters of the new listeners, turn by turn."""
        self._some_ended = asyncio.Event()

    def begin(self, run_id: str, topics: Iterable[str]) -> None:
        self._runs.setdefault(run_id, []).append(frozenset(topics))

    def end(self, run_id: str) -> None:
        if turns := self._runs.pop(run_id, [])[1:]:
            self._runs[run_id] = turns
        self._some_ended.set()

    @property
    def topics(self) -> set[str]:
        """Filters that somebody may listen with, of whom the store need not know yet."""
        return {topic for turns in self._runs.values() for topics in turns for topic in topics}

    def keep_only(self, owns: Callable[[str], bool]) -> None:
        """Forgets runs that are somebody else's now."""
        self._runs = {run_id: turns for run_id, turns in self._runs.items() if owns(run_id)}
        self._some_ended.set()

    def any_of(self, run_ids: Collection[str]) -> bool:
        if len(run_ids) > len(self._runs):
            return any(run_id in run_ids for run_id in self._runs)
        return any(run_id in self._runs for run_id in run_ids)

    async def wait(self, run_ids: Collection[str]) -> None:
        """Waits, for a bounded time, until these runs have looked back."""
        try:
            async with asyncio.timeout(LOOK_BACK_WAIT_MS / 1000):
                while self.any_of(run_ids):
                    self._some_ended.clear()
                    await self._some_ended.wait()
        except TimeoutError:
            self._log.warning("an event goes before an older one: looking back takes too long")
