"""Puts events into the inboxes of the runs that listen: many in one transaction, in order, each once for each run."""

from collections.abc import Iterable
from typing import NamedTuple

from penstock.kernel.messages import EventArrived, EventMatch
from penstock.kernel.values import Value
from penstock.model.limits import MAX_DELIVERIES_PER_WRITE, MAX_DELIVERY_BYTES
from penstock.runtime.clock import Clock
from penstock.runtime.envelopes import pack_message
from penstock.runtime.inbox import Inbox
from penstock.runtime.matching import Found
from penstock.store.protocol import Store
from penstock.store.rows import Delivery, EventRow


class Finding(NamedTuple):
    """An event, and those who listen for it."""

    row: EventRow
    found: Found


class Delivering:
    """Holds nothing. What it delivered is in the inbox in memory when it returns."""

    def __init__(self, store: Store, inbox: Inbox, clock: Clock) -> None:
        self._store = store
        self._inbox = inbox
        self._clock = clock

    async def deliver(self, findings: Iterable[Finding]) -> None:
        """In the order given. Raises `InfrastructureError` when the store fails; a part may be delivered then."""
        together: list[Delivery] = []
        size = 0
        for finding in findings:
            value = Value(json=finding.row.body)
            for run_id, matches in finding.found.items():
                body = self._message(value, matches, finding.row.expires_at)
                if len(together) == MAX_DELIVERIES_PER_WRITE or (together and size + len(body) > MAX_DELIVERY_BYTES):
                    self._inbox.take(await self._store.deliver(together))
                    together, size = [], 0
                together.append(Delivery(finding.row.seq, run_id, body))
                size += len(body)
        if together:
            self._inbox.take(await self._store.deliver(together))

    def _message(self, event: Value, matches: tuple[EventMatch, ...], expires_at: int) -> bytes:
        return pack_message(EventArrived(at=self._clock.now_ms(), event=event, matches=matches), expires_at)
