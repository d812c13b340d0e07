"""Brings events to the runs that listen, in the order in which they were taken in.

Events and listeners cannot miss each other. A turn makes its filters known before it commits, and looks back over
kept events after; the router reads the store's events after their commit and the store's listeners after that.
Whichever commits later sees the other, and the store gives one event to one run at most once. A look back that
a crash or a failure cut short is made up for by offering every kept event once more.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.commands import Subscribe
from penstock.kernel.messages import EventArrived, EventMatch
from penstock.kernel.topics import EventTopic
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import COMMIT_BACKOFF_MS, LOOK_BACK_WAIT_MS, MAX_EVENTS_PER_ROUTING, MAX_LOOK_BACK_EVENTS
from penstock.runtime.clock import Clock
from penstock.runtime.envelopes import pack_message
from penstock.runtime.inbox import Inbox
from penstock.runtime.listeners import Listeners
from penstock.runtime.mail import Queued
from penstock.runtime.matching import Matching, Wanted
from penstock.runtime.metrics import Metrics
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.store.protocol import Store
from penstock.store.rows import EventRow

_Found = dict[str, tuple[EventMatch, ...]]


class Router:
    """One task routes, so that the order of ingestion is the order of delivery."""

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
    ) -> None:
        self._store = store
        self._listeners = listeners
        self._matching = matching
        self._inbox = inbox
        self._turns = turns
        self._clock = clock
        self._metrics = metrics
        self._watching = watching
        self._log = log
        self._some = asyncio.Event()
        self._settling: dict[str, int] = {}
        """Runs whose new listeners have not looked back yet."""
        self._some_settled = asyncio.Event()
        self._expiry: dict[str, int] = {}
        self._known_since = False
        self._offer_kept = True
        """Whether some look back may not have come to its end."""

    def notice(self, rows: Sequence[EventRow]) -> None:
        """Events were committed."""
        self._keep_in_mind(rows)
        if rows:
            self._some.set()
            self._watching.event_came()

    def _keep_in_mind(self, rows: Sequence[EventRow]) -> None:
        """Until when an event of each type may be kept: looking back is spared where none is."""
        for row in rows:
            self._expiry[row.type] = max(row.expires_at, self._expiry.get(row.type, 0))

    def look_again(self) -> None:
        """There may be events that nobody noticed."""
        self._known_since = False
        self._some.set()

    async def run(self) -> None:
        """Routes for ever. What fails because of the store is tried again."""
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._remember()
                await self._look_back_for_all()
                while rows := await self._store.unrouted_events(MAX_EVENTS_PER_ROUTING):
                    self._keep_in_mind(rows)
                    for row in rows:
                        await self._route(row)
            except InfrastructureError as error:
                self._log.warning("events wait", reason=str(error))
                self._inbox.look_again()  # a delivery that failed may have been written
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._some.set()
            except Exception as error:  # bulkhead: routing goes on with the next notice
                self._log.error("routing failed", exc_info=error)
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._some.set()

    async def _remember(self) -> None:
        """Which types of events are still kept, so that looking back can be spared where nothing is."""
        if self._known_since:
            return
        self._known_since = True
        after = 0
        while True:
            rows = await self._store.events_since(
                now=self._clock.now_ms(), type=None, after_seq=after, limit=MAX_LOOK_BACK_EVENTS
            )
            self._keep_in_mind(rows)
            if len(rows) < MAX_LOOK_BACK_EVENTS:
                return
            after = rows[-1].seq

    async def _look_back_for_all(self) -> None:
        """Offers every kept event to all who listen: to runs that had it the store does not give it again."""
        if not self._offer_kept:
            return
        self._offer_kept = False
        after, more = 0, True
        try:
            while more:
                rows = await self._store.events_since(
                    now=self._clock.now_ms(), type=None, after_seq=after, limit=MAX_LOOK_BACK_EVENTS
                )
                for row in rows:
                    await self._offer(row, self._listeners.candidates(msgspec.json.decode(row.body)))
                more = len(rows) == MAX_LOOK_BACK_EVENTS
                after = rows[-1].seq if rows else after
        except InfrastructureError:
            self._offer_kept = True
            raise

    async def start(self) -> None:
        """Learns the filters that somebody listens with, and routes what was not routed before."""
        await self._listeners.refresh(await self._store.subscription_topics())
        await self._remember()
        self._some.set()

    async def _route(self, row: EventRow) -> None:
        event: dict[str, Json] = msgspec.json.decode(row.body)
        try:
            found = await self._matching.matches(event, self._listeners.candidates(event))
        except InfrastructureError:
            raise
        except Exception as error:  # bulkhead: an event that cannot be matched goes to nobody, once
            self._log.error("event cannot be matched", event_type=row.type, event_seq=row.seq, exc_info=error)
            found = {}
        if any(run_id in self._settling for run_id in found):
            await self._settle(found)
        await self._deliver(row, event, found, routed=True)
        self._metrics.events_routed.inc()

    async def _deliver(self, row: EventRow, event: Json, found: _Found, *, routed: bool) -> None:
        value, now = Value(json=row.body), self._clock.now_ms()
        messages = [
            (run_id, pack_message(EventArrived(at=now, event=value, matches=matches), row.expires_at))
            for run_id, matches in found.items()
        ]
        if messages or routed:
            self._inbox.take(await self._store.deliver(row.seq, messages, routed=routed))

    # Listeners that come late

    def before(self, run_id: str, topics: Sequence[EventTopic]) -> None:
        """Makes filters known before the turn that listens with them is committed.

        Until `settled`, newer events wait for the run: what it finds looking back is older and comes first.
        """
        self._settling[run_id] = self._settling.get(run_id, 0) + 1
        for topic in topics:
            self._listeners.add(topic)

    def settled(self, run_id: str) -> None:
        """The run has looked back, or had no reason to."""
        left = self._settling.pop(run_id, 0) - 1
        if left > 0:
            self._settling[run_id] = left
        self._some_settled.set()

    async def _settle(self, run_ids: Iterable[str]) -> None:
        """Waits, for a bounded time, until these runs have looked back."""
        try:
            async with asyncio.timeout(LOOK_BACK_WAIT_MS / 1000):
                while any(run_id in self._settling for run_id in run_ids):
                    self._some_settled.clear()
                    await self._some_settled.wait()
        except TimeoutError:
            self._log.warning("an event goes before an older one: looking back takes too long")

    def may_have(self, subscribe: Sequence[Subscribe]) -> list[EventTopic]:
        """Of the filters of these listeners, those for which an event may be kept."""
        topics = {name: self._listeners.topic(name) for name in dict.fromkeys(command.topic for command in subscribe)}
        now = self._clock.now_ms()
        latest = max(self._expiry.values(), default=0)
        return [
            topic
            for topic in topics.values()
            if topic and (latest if topic.type is None else self._expiry.get(topic.type, 0)) > now
        ]

    async def look_back(self, run_id: str, topics: Sequence[EventTopic]) -> None:
        """Offers kept events to the new listeners of a run."""
        try:
            for type_ in {topic.type: None for topic in topics}:
                await self._look_back(run_id, type_, [topic for topic in topics if topic.type == type_])
        except InfrastructureError as error:
            self._log.warning("a look back waits", run_id=run_id, reason=str(error))
            self._inbox.look_again()  # a delivery that failed may have been written
            self._offer_kept = True
            self._some.set()
        finally:
            self.settled(run_id)

    async def _look_back(self, run_id: str, type_: str | None, topics: Sequence[EventTopic]) -> None:
        after = 0
        while True:
            rows = await self._store.events_since(
                now=self._clock.now_ms(), type=type_, after_seq=after, limit=MAX_LOOK_BACK_EVENTS
            )
            for row in rows:
                await self._offer(row, topics, lambda listener: listener.run_id == run_id)
            if len(rows) < MAX_LOOK_BACK_EVENTS:
                return
            after = rows[-1].seq

    async def _offer(self, row: EventRow, topics: Sequence[EventTopic], wanted: Wanted | None = None) -> None:
        event: dict[str, Json] = msgspec.json.decode(row.body)
        found = await self._matching.matches(event, topics, wanted)
        if found:
            await self._deliver(row, event, found, routed=False)

    # Events that were delivered before their listener was there

    async def offer_held(self, run_id: str) -> None:
        """Offers the events that a run did not take to those of its listeners that have not seen them."""
        now = self._clock.now_ms()
        items = self._turns.boxes.release_held(run_id)
        self._turns.discard([item for item in items if item.expires_at <= now])
        still: list[Queued] = []
        left = deque(item for item in items if item.expires_at > now)
        try:
            while left:
                again = await self._again(run_id, left[0])
                item = left.popleft()
                if again is None:
                    still.append(item)
                else:
                    self._turns.boxes.add(run_id, again)
        except InfrastructureError as error:
            self._log.warning("held events wait", run_id=run_id, reason=str(error))
            self._turns.spawn(self._offer_held_later(run_id))
        finally:
            self._turns.discard(self._turns.boxes.hold(run_id, [*still, *left]))

    async def _offer_held_later(self, run_id: str) -> None:
        await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
        await self.offer_held(run_id)

    async def _again(self, run_id: str, item: Queued) -> Queued | None:
        message = item.message
        assert isinstance(message, EventArrived)
        event: dict[str, Json] = message.event.data
        seen = item.offered | {(match.entry, match.filter) for match in message.matches}
        found = await self._matching.matches(
            event,
            self._listeners.candidates(event),
            lambda row: row.run_id == run_id and (row.entry, row.filter) not in seen,
        )
        if run_id not in found:
            return None
        offered = EventArrived(at=message.at, event=message.event, matches=found[run_id])
        return Queued(offered, item.inbox_seq, item.expires_at, offered=seen)

    async def sweep(self) -> None:
        """Forgets filters that nobody listens with any more, and held events whose time has ended."""
        now = self._clock.now_ms()
        self._expiry = {type_: until for type_, until in self._expiry.items() if until > now}
        self._listeners.begin_refresh()
        await self._listeners.refresh(await self._store.subscription_topics())
        for run_id in self._turns.boxes.holding():
            await self.offer_held(run_id)
