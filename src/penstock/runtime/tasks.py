"""The tasks of one engine's turn loop: begun together, watched, ended together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from penstock.model.limits import COMMIT_BACKOFF_MS


class Tasks:
    """What fails in a task is logged; nothing that was begun here outlives `stop`."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def keep(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs a loop for ever."""
        self.spawn(self._kept(loop))

    async def stop(self) -> None:
        """Ends everything that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("task of the turn loop failed", exc_info=error)

    async def _kept(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Bulkhead: a loop that fails on its own account goes on."""
        while True:
            try:
                await loop()
            except Exception as error:
                self._log.error("turn loop failed", exc_info=error)
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
