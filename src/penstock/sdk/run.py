"""One run, as the program that started it sees it."""

import asyncio

from penstock.errors import RUNTIME, Conflict, Fault
from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.views import RunView
from penstock.sdk.ends import RunCancelled, RunFaulted


class Run:
    """A handle: it holds no more than the `id`, so that any number of them may be kept, or made again from the id."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.id = run_id
        self._engine = engine

    async def result(self, timeout: float | None = None) -> Json:
        """Waits for the end of the run; its output. `timeout` is in seconds, None waits for as long as it takes.

        Raises `RunFaulted` (with `.fault`), `RunCancelled`, `TimeoutError` (the run goes on), `NotFound` for an id
        that no run has, and `InfrastructureError` when the engine is closed meanwhile.
        """
        async with asyncio.timeout(timeout):
            state = await self._engine.run_end(self.id)
        if state.status == "completed":
            return None if state.output is None else state.output.copy()
        if state.status == "cancelled":
            raise RunCancelled(self.id)
        raise RunFaulted(self.id, state.error or Fault(RUNTIME, 500, "Faulted"))

    async def status(self) -> str:
        """`pending`, `running`, `waiting`, `suspended`, `cancelled`, `faulted` or `completed`, as it is on disk."""
        return (await self.view()).status

    async def view(self) -> RunView:
        """The run with its input, its output and its last tasks; a task that waits for a tool says so."""
        return await self._engine.get_run(self.id)

    async def cancel(self, reason: str = "") -> bool:
        """Ends the run; True when that is on disk, False when it had ended by itself. Raises `NotFound`."""
        try:
            await self._engine.cancel(self.id, reason)
        except Conflict:
            return False
        return True

    def __repr__(self) -> str:
        return f"Run({self.id!r})"
