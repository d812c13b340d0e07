"""Waiting for the end of a run inside a request."""

import asyncio

from penstock.runtime.engine import Engine
from penstock.runtime.views import RunView


class Waiting:
    """Waits end when the run does, when the time is over, or when the server stops (`closing`)."""

    def __init__(self, engine: Engine, closing: asyncio.Event) -> None:
        self._engine = engine
        self._closing = closing

    async def ended(self, run: RunView, wait_ms: int) -> RunView:
        """The run when it has ended, or as it is when the wait is over."""
        if run.ended or wait_ms <= 0 or self._closing.is_set():
            return run
        waiting = asyncio.create_task(self._engine.wait_run(run.id, wait_ms / 1000))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({waiting, closing}, return_when=asyncio.FIRST_COMPLETED)
            return await waiting if waiting.done() else await self._engine.get_run(run.id)
        finally:
            waiting.cancel()
            closing.cancel()
