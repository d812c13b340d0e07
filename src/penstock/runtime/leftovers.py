"""Inbox messages that mean nothing any more: their rows go with the next commit, or soon without one."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, INBOX_PAGE, LEFTOVER_MS
from penstock.store.protocol import Store


class Leftovers:
    """A message is judged by the state that its run has here, so the judgement counts only while the run is ours."""

    def __init__(self, store: Store, log: structlog.stdlib.BoundLogger) -> None:
        self._store = store
        self._log = log
        self._seqs: list[int] = []
        self._some = asyncio.Event()

    def add(self, seqs: Iterable[int]) -> None:
        self._seqs.extend(seqs)
        if self._seqs:
            self._some.set()

    def take(self) -> list[int]:
        """All of them; whoever takes them deletes them, or gives them back."""
        seqs, self._seqs = self._seqs, []
        return seqs

    async def run(self, deleted: Callable[[tuple[int, ...]], None]) -> None:
        """Deletes what no commit took along within a short time."""
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(LEFTOVER_MS / 1000)
            seqs = self.take()
            for start in range(0, len(seqs), INBOX_PAGE):
                page = tuple(seqs[start : start + INBOX_PAGE])
                try:
                    await self._store.discard_inbox(page)
                except InfrastructureError as error:
                    self._log.warning("messages without meaning stay", reason=str(error))
                    await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                    self.add(seqs[start:])
                    break
                deleted(page)
