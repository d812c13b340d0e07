"""A message on its way to a run, and what comes back to whoever waits for it."""

import asyncio
from dataclasses import dataclass

import msgspec

from penstock.kernel.messages import Message, Started
from penstock.kernel.state import RunState
from penstock.store.rows import RunRow, StartKey


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What a start says beyond its message. `begin_at` 0 begins at once. `unowned`: the run is only made here, and
    begun by the node that holds it."""

    labels: dict[str, str] = {}
    key: StartKey | None = None
    begin_at: int = 0
    retry_of: str = ""
    unowned: bool = False


class TurnResult(msgspec.Struct, frozen=True, gc=False):
    """The run after the turn that took the message. `stale`: the message no longer meant anything.

    `duplicate_of` names the run that an earlier start with the same key made; then the rest is unset.
    """

    run: RunRow | None = None
    state: RunState | None = None
    stale: bool = False
    duplicate_of: StartKey | None = None


@dataclass(slots=True, eq=False)
class Queued:
    """`inbox_seq` 0: this message is in memory only. `expires_at`: how long an event may wait for a listener."""

    message: Message
    inbox_seq: int = 0
    expires_at: int = 0
    origin: Origin | None = None
    waiter: asyncio.Future[TurnResult] | None = None
    offered: frozenset[tuple[int, int]] = frozenset()
    """Listeners (entry, filter) that an event was offered to already."""

    @property
    def is_start(self) -> bool:
        """Whether this begins a run for somebody who waits for it."""
        return self.waiter is not None and isinstance(self.message, Started)

    @property
    def is_refused(self) -> bool:
        """Whether the one who waits was told that it failed."""
        waiter = self.waiter
        return waiter is not None and waiter.done() and not waiter.cancelled() and waiter.exception() is not None

    def answer(self, result: TurnResult) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(result)

    def refuse(self, error: BaseException) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)
