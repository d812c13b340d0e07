"""Cancelling, holding and resuming runs, wherever they are."""

import asyncio
from collections.abc import Callable

import msgspec

from penstock.errors import Conflict, InfrastructureError, NotFound
from penstock.kernel.codec import decode_entry
from penstock.kernel.messages import Message
from penstock.kernel.state import ENDED
from penstock.model.limits import MAX_PAGE_ITEMS, REMOTE_CONTROL_MS, REMOTE_LOOK_MS
from penstock.runtime.envelopes import pack_message
from penstock.runtime.inbox import Inbox
from penstock.runtime.live import Live, LiveRuns
from penstock.runtime.shares import NotHeld
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.store.protocol import Store
from penstock.store.rows import RunRow

_FIRST_LOOK_MS = 25


class Controlling:
    """A request for a run of this engine is a message in memory; for one of another node it goes by the inbox."""

    def __init__(
        self,
        store: Store,
        live: LiveRuns,
        turns: Turns,
        inbox: Inbox,
        watching: Watching,
        *,
        doubted: Callable[[], None],
    ) -> None:
        self._store = store
        self._live = live
        self._turns = turns
        self._inbox = inbox
        self._watching = watching
        self._doubted = doubted

    async def control(self, run_id: str, message: Message) -> None:
        """Returns when the run has dealt with the message, on disk.

        Raises `NotFound`, `Conflict` for a run that has ended, and `InfrastructureError`.
        """
        live = await self._read(run_id)
        if live.state.status in ENDED:
            raise Conflict(f"the run {run_id} is {live.state.status}")
        try:
            result = await self._turns.ask(run_id, message)
        except NotHeld:
            await self._from_afar(live, message)
            return
        if result.stale and result.run is not None and await self._is_elsewhere(result.run):
            await self._from_afar(live, message)
            return
        if result.state is None:
            raise NotFound(f"there is no run {run_id}")
        if result.stale and result.state.ended:
            raise Conflict(f"the run {run_id} is {result.state.status}")

    async def _is_elsewhere(self, run: RunRow) -> bool:
        """Whether another node has moved the run: then a message that meant nothing here may mean something there."""
        if self._store.exclusive:
            return False
        stored = await self._live.read(run.id)
        if stored is None or stored.run == run:
            return False
        self._doubted()
        return True

    async def _read(self, run_id: str) -> Live:
        live = await self._live.get(run_id)
        if live is None:
            raise NotFound(f"there is no run {run_id}")
        return live

    async def _from_afar(self, live: Live, message: Message) -> None:
        run_id = live.run.id
        body = pack_message(msgspec.structs.replace(message, at=live.run.updated_at))
        rows = await self._store.send([(run_id, body)])
        self._inbox.take(rows)  # the run may have become ours meanwhile
        try:
            async with asyncio.timeout(REMOTE_CONTROL_MS / 1000):
                await self._consumed(run_id, rows[0].seq)
        except TimeoutError:
            kept = f"the node of the run {run_id} does not answer; the request is kept, and done when it does"
            raise InfrastructureError(kept) from None
        if await self._was_applied(live, type(message)):
            return
        after = await self._read(run_id)
        if after.state.ended:
            raise Conflict(f"the run {run_id} is {after.state.status}")

    async def _consumed(self, run_id: str, seq: int) -> None:
        """Returns when the message no longer waits."""
        pause_ms = _FIRST_LOOK_MS
        with self._watching.run(run_id) as moved:
            while True:
                moved.clear()
                if not await self._store.inbox_rows([seq]):
                    return
                try:
                    async with asyncio.timeout(pause_ms / 1000):
                        await moved.wait()
                except TimeoutError:
                    pause_ms = min(2 * pause_ms, REMOTE_LOOK_MS)

    async def _was_applied(self, before: Live, kind: type[Message]) -> bool:
        """Whether the run took such a message since; else it meant nothing to it."""
        after = before.state.version
        while rows := await self._store.journal(before.run.id, after, MAX_PAGE_ITEMS):
            if any(isinstance(decode_entry(row.body)[0].message, kind) for row in rows):
                return True
            after = rows[-1].seq
        return False
