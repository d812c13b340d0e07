"""Brings events to the runs that listen, in the order in which they were taken in.

Events and listeners cannot miss each other. A turn makes its filters known before it commits, and looks back over
kept events after; the router reads the store's events after their commit and the store's listeners after that.
Whichever commits later sees the other, and the store gives one event to one run at most. So routing an event again
does no harm: the cursor is kept in the store now and then only, and a look back that a crash or a failure cut short
is made up for by offering every kept event once more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.topics import EventTopic
from penstock.model.limits import (
    COMMIT_BACKOFF_MS,
    KEEP_ROUTED_MS,
    LOOK_BACK_WAIT_MS,
    MAX_EVENTS_PER_ROUTING,
    MAX_ROUTING_BYTES,
)
from penstock.runtime.clock import Clock
from penstock.runtime.delivering import Delivering, Finding
from penstock.runtime.event_rows import event_of
from penstock.runtime.held_events import HeldEvents
from penstock.runtime.inbox import Inbox
from penstock.runtime.kept_events import KeptEvents
from penstock.runtime.listeners import Listeners
from penstock.runtime.look_back import LookBack
from penstock.runtime.matching import Found, Matching, Offer
from penstock.runtime.metrics import Metrics
from penstock.runtime.settling import Settling
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.store.protocol import Store
from penstock.store.rows import EventRow, Subscription
from penstock.store.shares import EVERY_PARTITION


class Router:
    """One task routes, so that the order of ingestion is the order of delivery.

    `owns` says whose listeners are served. It must not say yes to runs of a partition before `gained` is called for
    it, nor after `lost`: the cursor is kept for what it says yes to.
    """

    def __init__(
        self,
        *,
        store: Store,
        listeners: Listeners,
        matching: Matching,
        inbox: Inbox,
        turns: Turns,
        clock: Clock,
        metrics: Metrics,
        watching: Watching,
        log: structlog.stdlib.BoundLogger,
        owns: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._listeners = listeners
        self._matching = matching
        self._inbox = inbox
        self._turns = turns
        self._metrics = metrics
        self._watching = watching
        self._log = log
        self._owns = owns
        self._kept = KeptEvents(store, clock)
        self._clock = clock
        self._delivering = Delivering(store, inbox, clock)
        self._settling = Settling(log)
        self._back = LookBack(
            kept=self._kept, matching=matching, listeners=listeners, delivering=self._delivering, clock=clock
        )
        self._held = HeldEvents(store=store, listeners=listeners, matching=matching, turns=turns, clock=clock, log=log)
        self._some = asyncio.Event()
        self._cursor = 0
        self._cursor_kept = 0
        self._kept_at = 0
        self._gained = True
        """Whether there are partitions that are not begun with."""
        self._offer_kept = True
        """Whether some look back may not have come to its end."""

    @property
    def cursor(self) -> int:
        """Every event up to this one was brought to those who listen."""
        return self._cursor

    def notice(self, rows: Sequence[EventRow]) -> None:
        """These events were committed by this engine."""
        if rows:
            self._some.set()
            self._watching.event_came()

    def look_again(self) -> None:
        """There may be events that nobody noticed, or from elsewhere."""
        self._some.set()

    async def start(self) -> None:
        """Learns the filters that somebody listens with and where routing stood, and goes on from there."""
        await self._begin()
        self._some.set()

    async def run(self) -> None:
        """Routes for ever. What fails because of the store is tried again."""
        while True:
            try:
                await self._wait()
                self._some.clear()
                if self._gained:
                    await self._begin()
                await self._look_back_for_all()
                while rows := await self._next_page():
                    await self._route(rows)
                    if self._gained:
                        await self._begin()
                        await self._look_back_for_all()
            except InfrastructureError as error:
                self._log.warning("events wait", reason=str(error))
                self._inbox.look_again()  # a delivery that failed may have been written
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._some.set()
            except Exception as error:  # bulkhead: routing goes on with the next notice
                self._log.error("routing failed", exc_info=error)
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._some.set()

    async def _wait(self) -> None:
        """Until there may be events; meanwhile keeps the cursor."""
        while not self._some.is_set() and self._cursor > self._cursor_kept and not self._gained:
            try:
                async with asyncio.timeout(KEEP_ROUTED_MS / 1000):
                    await self._some.wait()
            except TimeoutError:
                await self.keep()
        await self._some.wait()

    async def _begin(self) -> None:
        """Begins with partitions that came: with their listeners, and at the event where whoever had them stood."""
        self._gained = False
        try:
            await self._refresh()
            self._cursor = self._cursor_kept = await self._store.routed_until()
            await self._kept.load()  # whoever had them may have been further
        except BaseException:
            self._gained = True
            raise

    async def _refresh(self) -> None:
        """Learns the filters that somebody listens with, and forgets the others."""
        self._listeners.begin_refresh(self._settling.topics)
        await self._listeners.refresh(await self._store.subscription_topics())

    async def _next_page(self) -> list[EventRow]:
        rows = await self._store.events_after(self._cursor, MAX_EVENTS_PER_ROUTING)
        size = 0
        for count, row in enumerate(rows):
            size += len(row.body)
            if count and size > MAX_ROUTING_BYTES:
                return rows[:count]
        return rows

    async def _route(self, rows: Sequence[EventRow]) -> None:
        self._kept.read(rows)
        await self._bring(rows)
        if not self._gained:
            self._cursor = rows[-1].seq
        self._metrics.events_routed.inc(len(rows))
        if self._clock.now_ms() - self._kept_at >= KEEP_ROUTED_MS:
            await self.keep()

    async def _bring(self, rows: Sequence[EventRow]) -> None:
        """Delivers events to those who listen. A run that looks back gets what it finds first, for that is older."""
        waiting: list[Finding] = []
        async for place, found in self._found(rows):
            if self._settling.any_of(found):
                await self._delivering.deliver(waiting)
                waiting = []
                await self._settling.wait(found)
            if found:
                waiting.append(Finding(rows[place], found))
        await self._delivering.deliver(waiting)

    async def _found(self, rows: Sequence[EventRow]) -> AsyncIterator[tuple[int, Found]]:
        offers = [Offer(event, self._listeners.candidates(event)) for event in map(event_of, rows)]
        done = 0
        try:
            async for place, found in self._matching.matches(offers):
                yield place, found
                done = place + 1
        except InfrastructureError:
            raise
        except Exception as error:  # bulkhead: an event that cannot be matched goes to nobody, once
            self._log.warning("events are matched one by one", exc_info=error)
            for place in range(done, len(rows)):
                yield place, await self._found_alone(rows[place], offers[place])

    async def _found_alone(self, row: EventRow, offer: Offer) -> Found:
        try:
            return {run_id: one async for _, found in self._matching.matches([offer]) for run_id, one in found.items()}
        except InfrastructureError:
            raise
        except Exception as error:  # bulkhead: as above
            self._log.error("event cannot be matched", event_type=row.type, event_seq=row.seq, exc_info=error)
            return {}

    async def _look_back_for_all(self) -> None:
        """Offers every kept event to all who listen: to runs that had it the store does not give it again."""
        if not self._offer_kept:
            return
        self._offer_kept = False
        try:
            async for rows in self._kept.pages(None, 0, self._kept.upto):
                for start in range(0, len(rows), MAX_EVENTS_PER_ROUTING):
                    await self._bring(rows[start : start + MAX_EVENTS_PER_ROUTING])
        except BaseException:
            self._offer_kept = True
            raise

    # The cursor, and partitions that come and go

    async def keep(self) -> None:
        """Keeps in the store how far events were routed. Raises `InfrastructureError`."""
        self._kept_at = self._clock.now_ms()
        cursor = self._cursor
        if self._gained or cursor <= self._cursor_kept:
            return
        # The store may hold partitions already that are not begun with here: their cursors are left alone.
        await self._store.keep_routed(cursor, [one for one in EVERY_PARTITION if self._owns(f"{one:02x}")])
        self._cursor_kept = max(self._cursor_kept, cursor)

    def gained(self) -> None:
        """Partitions came: their listeners are learnt, events from where they stood are routed, kept ones offered."""
        self._gained = self._offer_kept = True
        self._some.set()

    def lost(self, owns: Callable[[str], bool]) -> None:
        """Runs are somebody else's now: nobody waits for the look back of those that this does not say yes to. What
        is held for them leaves with their mailboxes."""
        self._settling.keep_only(owns)

    # Listeners that come late

    def before(self, run_id: str, topics: Sequence[EventTopic]) -> None:
        """Makes filters known before the turn that listens with them is committed.

        Until `settled`, newer events wait for the run: what it finds looking back is older and comes first.
        """
        self._settling.begin(run_id, [topic.topic for topic in topics])
        for topic in topics:
            self._listeners.add(topic)

    def settled(self, run_id: str) -> None:
        """The run has looked back, or had no reason to."""
        self._settling.end(run_id)

    def may_have(self, new: Sequence[Subscription]) -> list[Subscription]:
        """Of these new listeners, those for which an event may be kept."""
        return self._back.may_have(new)

    async def look_back(self, run_id: str, new: Sequence[Subscription]) -> None:
        """Offers kept events to the new listeners of a run; again, while newer events wait, if the store fails."""
        until = self._clock.now_ms() + LOOK_BACK_WAIT_MS
        try:
            await self._held.offer(run_id)  # what it holds came before what it will find
            while not await self._looked_back(run_id, new):
                if self._clock.now_ms() >= until:
                    self._offer_kept = True
                    self._some.set()
                    return
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
        finally:
            self._settling.end(run_id)

    async def _looked_back(self, run_id: str, new: Sequence[Subscription]) -> bool:
        try:
            await self._back.offer(new)
        except InfrastructureError as error:
            self._log.warning("a look back waits", run_id=run_id, reason=str(error))
            self._inbox.look_again()  # a delivery that failed may have been written
            return False
        return True

    def offer_held(self, run_id: str) -> Coroutine[Any, Any, None]:
        """Offers the events that a run did not take to those of its listeners that have not seen them.

        From this call on, not only from the first step of what it returns, newer events wait for the run.
        """
        self._settling.begin(run_id, ())
        return self._offer_held(run_id)

    async def _offer_held(self, run_id: str) -> None:
        try:
            await self._held.offer(run_id)
        finally:
            self._settling.end(run_id)

    def ended(self, run_id: str) -> None:
        """The run takes no event any more."""
        self._held.ended(run_id)

    async def sweep(self) -> None:
        """Forgets filters that nobody listens with any more, and held events whose time has ended."""
        now = self._clock.now_ms()
        self._kept.forget_expired()
        self._back.keys.forget_expired(now)
        await self._refresh()
        await self._held.sweep()
        await self.keep()
