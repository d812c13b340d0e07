"""Events that were delivered before their listener was there: they are offered to those that have not seen them."""

import asyncio
from collections import Counter

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.messages import EventArrived
from penstock.model.limits import COMMIT_BACKOFF_MS
from penstock.runtime.clock import Clock
from penstock.runtime.listeners import Listeners
from penstock.runtime.mail import Queued
from penstock.runtime.matching import Event, Found, Matching
from penstock.runtime.turns import Turns
from penstock.store.protocol import Store
from penstock.store.rows import Subscription


class HeldEvents:
    """They lie in the mailbox of their run; here they are looked through. The run's listeners are read once for all."""

    def __init__(
        self,
        *,
        store: Store,
        listeners: Listeners,
        matching: Matching,
        turns: Turns,
        clock: Clock,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._store = store
        self._listeners = listeners
        self._matching = matching
        self._turns = turns
        self._clock = clock
        self._log = log
        self._offering: Counter[str] = Counter()
        """Runs whose held events are being looked through, and how many want that."""
        self._turn: dict[str, asyncio.Lock] = {}
        """One after the other, for each of them: what is held later comes later."""
        self._ended: set[str] = set()
        """Those of them that ended meanwhile: there is nobody left to hold anything for."""

    async def offer(self, run_id: str) -> None:
        """Offers the events that a run did not take, in order, to those of its listeners that have not seen them.

        While the store cannot be read they are held, and it is tried again.
        """
        self._offering[run_id] += 1
        try:
            async with self._turn.setdefault(run_id, asyncio.Lock()):
                while not await self._offered(run_id):  # noqa: ASYNC110 - nothing tells when the store can be read
                    await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
        finally:
            self._offering[run_id] -= 1
            if not self._offering[run_id]:
                del self._offering[run_id], self._turn[run_id]
                self._ended.discard(run_id)

    async def _offered(self, run_id: str) -> bool:
        now = self._clock.now_ms()
        items = self._turns.boxes.release_held(run_id)
        self._turns.discard([item for item in items if item.expires_at <= now])
        left = [item for item in items if item.expires_at > now]
        try:
            found = await self._wanting(run_id, left)
            for place in found:
                self._turns.put(run_id, _again(left[place], found[place], run_id))
            left = [item for place, item in enumerate(left) if place not in found]
        except InfrastructureError as error:
            self._log.warning("held events wait", run_id=run_id, reason=str(error))
            return False
        finally:
            if run_id in self._ended:
                self._turns.discard(left)
            else:
                self._turns.hold(run_id, left)
        return True

    def ended(self, run_id: str) -> None:
        """Nothing is held for the run from now on."""
        if run_id in self._offering:
            self._ended.add(run_id)

    async def sweep(self) -> None:
        """Offers all of them once more; those whose time has ended go."""
        for run_id in self._turns.boxes.holding():
            await self.offer(run_id)

    async def _wanting(self, run_id: str, items: list[Queued]) -> dict[int, Found]:
        """Those of the events that a listener wants which has not seen them, by place."""
        if not items:
            return {}
        rows = await self._store.subscriptions_of(run_id)
        listening = [(row, topic) for row in rows if (topic := await self._listeners.find(row.topic))]

        def unseen(place: int, row: Subscription) -> bool:
            return (row.entry, row.filter) not in seen[place]

        seen = [_seen(item) for item in items]
        found = await self._matching.own(listening, [_event(item) for item in items], unseen)
        return dict(sorted(found.items()))


def _message(item: Queued) -> EventArrived:
    assert isinstance(item.message, EventArrived)
    return item.message


def _event(item: Queued) -> Event:
    return _message(item).event.data


def _seen(item: Queued) -> frozenset[tuple[int, int]]:
    return item.offered | {(match.entry, match.filter) for match in _message(item).matches}


def _again(item: Queued, found: Found, run_id: str) -> Queued:
    message = _message(item)
    offered = EventArrived(at=message.at, event=message.event, matches=found[run_id])
    return Queued(offered, item.inbox_seq, item.expires_at, offered=_seen(item))
