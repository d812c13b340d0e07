"""Offers kept events to the new listeners of a run. Their keys are compared in memory; the store is asked for nothing
but events that have left the memory."""

from collections.abc import Sequence

from penstock.kernel.topics import EventTopic
from penstock.model.limits import MAX_LOOK_BACK_EVENTS
from penstock.runtime.clock import Clock
from penstock.runtime.delivering import Delivering, Finding
from penstock.runtime.event_rows import event_of
from penstock.runtime.kept_events import KeptEvents
from penstock.runtime.kept_keys import KeptKeys
from penstock.runtime.listeners import Listeners
from penstock.runtime.matching import ANY_KEY, Candidate, Found, Keys, Matching, group_by_event
from penstock.store.rows import EventRow, Subscription


class LookBack:
    """Reads what the router has read: whatever comes later, the router brings."""

    def __init__(
        self, *, kept: KeptEvents, matching: Matching, listeners: Listeners, delivering: Delivering, clock: Clock
    ) -> None:
        self.keys = KeptKeys(kept, matching)
        self._kept = kept
        self._matching = matching
        self._listeners = listeners
        self._delivering = delivering
        self._clock = clock

    def may_have(self, rows: Sequence[Subscription]) -> list[Subscription]:
        """Of these new listeners, those for which an event may be kept."""
        topics = {row.topic: self._listeners.topic(row.topic) for row in rows}
        wanted = {name for name, topic in topics.items() if topic and self._kept.may_have(topic.type)}
        return [row for row in rows if row.topic in wanted]

    async def offer(self, rows: Sequence[Subscription]) -> None:
        """Delivers to the run of these listeners what is kept for them, in order. Raises `InfrastructureError`."""
        upto, now = self._kept.upto, self._clock.now_ms()
        known = [(row, topic) for row in rows if (topic := self._listeners.topic(row.topic))]
        wanted: dict[int, list[tuple[Subscription, EventTopic, Keys]]] = {}
        floor = 0
        for row, topic in known:
            keys, unknown = await self.keys.find(topic, None if row.key == ANY_KEY else row.key, upto, now)
            floor = max(floor, unknown)
            for one in keys:
                wanted.setdefault(one.seq, []).append((row, topic, one.keys))
        if floor:
            await self._offer_older(known, floor)
        seqs = sorted(seq for seq in wanted if seq > floor)
        for start in range(0, len(seqs), MAX_LOOK_BACK_EVENTS):
            some = seqs[start : start + MAX_LOOK_BACK_EVENTS]
            await self._deliver(await self._kept.rows(_type_of(known), some), wanted)

    async def _deliver(
        self, events: Sequence[EventRow], wanted: dict[int, list[tuple[Subscription, EventTopic, Keys]]]
    ) -> None:
        candidates: list[Candidate] = []
        for place, event_row in enumerate(events):
            event = event_of(event_row)
            candidates += [Candidate(place, row, topic, keys, event) for row, topic, keys in wanted[event_row.seq]]
        found = group_by_event(await self._matching.fitting(candidates))
        await self._delivering.deliver(_findings(events, found))

    async def _offer_older(self, known: Sequence[tuple[Subscription, EventTopic]], upto: int) -> None:
        """Goes through all events that are too many for memory."""
        async for events in self._kept.pages(_type_of(known), 0, upto):
            found = await self._matching.own(known, [event_of(row) for row in events])
            await self._delivering.deliver(_findings(events, found))


def _type_of(known: Sequence[tuple[Subscription, EventTopic]]) -> str | None:
    """The type of all these filters, if it is one."""
    types = {topic.type for _, topic in known}
    return types.pop() if len(types) == 1 else None


def _findings(events: Sequence[EventRow], found: dict[int, Found]) -> list[Finding]:
    return [Finding(events[place], found[place]) for place in sorted(found)]
