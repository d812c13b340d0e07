"""Which listeners an event matches: its keys once per filter, then listener by listener what the keys do not say.

Expressions that only a worker can evaluate go there together, for as many events as are matched together.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from penstock.errors import Fault
from penstock.events.attributes import json_equal
from penstock.events.correlation import correlation_key
from penstock.expressions import Expression
from penstock.kernel.messages import EventMatch
from penstock.kernel.topics import EventTopic
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_MATCHED_AT_ONCE
from penstock.runtime.envelopes import ListenerBody, unpack_listener
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.workers import Evaluation
from penstock.store.protocol import Store
from penstock.store.rows import Subscription

ANY_KEY: Final = "*"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

T = TypeVar("T")

Event = Mapping[str, Json]
Keys = dict[str, Value]
Found = dict[str, tuple[EventMatch, ...]]
"""The listeners that an event matched, by run."""


class Offer(NamedTuple):
    """An event, and the filters that it is held against."""

    event: Event
    topics: Sequence[EventTopic]


class Candidate(NamedTuple):
    """A listener whose key fits, if its key is known. `place` tells which event it is about."""

    place: int
    row: Subscription
    topic: EventTopic
    keys: Keys
    event: Event


class _Prospect(NamedTuple):
    """A filter that an event matches, and those who listen by it."""

    topic: EventTopic
    keys: Keys
    rows: list[Subscription]


class Matching:
    """Remembers nothing. `owns` says of a run whether its listeners are this engine's to serve."""

    def __init__(self, store: Store, evaluator: Evaluator, owns: Callable[[str], bool]) -> None:
        self._store = store
        self._evaluator = evaluator
        self._owns = owns

    async def matches(self, offers: Sequence[Offer]) -> AsyncIterator[tuple[int, Found]]:
        """The listeners that the store has for each event: (place in `offers`, listeners), in order.

        Looks into the store once for many events.
        """
        for places in _pieces([len(offer.topics) for offer in offers]):
            async for found in self._piece(offers, places):
                yield found

    async def _piece(self, offers: Sequence[Offer], places: range) -> AsyncIterator[tuple[int, Found]]:
        prospects = await self._prospects(offers, places)
        for together in _pieces([sum(len(one.rows) for one in prospects[place]) for place in places]):
            some = [places[index] for index in together]
            fitting = await self.fitting(
                [
                    Candidate(place, row, one.topic, one.keys, offers[place].event)
                    for place in some
                    for one in prospects[place]
                    for row in one.rows
                ]
            )
            found = group_by_event(fitting)
            for place in some:
                yield place, found.get(place, {})

    async def _prospects(self, offers: Sequence[Offer], places: range) -> dict[int, list[_Prospect]]:
        """For each of these events, the filters that it matches with the listeners that have its keys."""
        asked = [(place, topic) for place in places for topic in offers[place].topics]
        keys = await self.keys([(offers[place].event, topic) for place, topic in asked])
        prospects: dict[int, list[_Prospect]] = {place: [] for place in places}
        waiting: dict[tuple[str, str], list[_Prospect]] = {}
        for (place, topic), values in zip(asked, keys, strict=True):
            if values is not None:
                prospects[place].append(one := _Prospect(topic, values, []))
                for lookup in _lookups(topic, values):
                    waiting.setdefault(lookup, []).append(one)
        for row in await self._store.subscriptions(list(waiting)) if waiting else ():
            if self._owns(row.run_id):
                for one in waiting[row.topic, row.key]:
                    one.rows.append(row)
        return prospects

    async def own(
        self,
        rows: Sequence[tuple[Subscription, EventTopic]],
        events: Sequence[Event],
        wanted: Callable[[int, Subscription], bool] | None = None,
    ) -> dict[int, Found]:
        """Which of these listeners match these events, by the place of the event. Asks the store for nothing."""
        asked = [
            (place, row, topic)
            for place, event in enumerate(events)
            for row, topic in rows
            if (wanted is None or wanted(place, row)) and topic.admits(event)
        ]
        found: dict[int, Found] = {}
        for piece in _chunks(asked):
            keys = await self.keys([(events[place], topic) for place, _, topic in piece])
            candidates = [
                Candidate(place, row, topic, values, events[place])
                for (place, row, topic), values in zip(piece, keys, strict=True)
                if values is not None and row.key in (ANY_KEY, key_of(values))
            ]
            for place, more in group_by_event(await self.fitting(candidates)).items():
                found[place] = {run: _sorted((*found.get(place, {}).get(run, ()), *new)) for run, new in more.items()}
        return found

    async def keys(self, pairs: Sequence[tuple[Event, EventTopic]]) -> list[Keys | None]:
        """For each event and filter that admits it, the event's values for the filter's keys; None: no match."""
        asked = [
            (place, label, expression, topic.dot(label, event))
            for place, (event, topic) in enumerate(pairs)
            for label, expression in topic.expressions
        ]
        values: list[dict[str, Json | Fault]] = [{} for _ in pairs]
        results = await self.evaluate([(expression, dot, {}) for _, _, expression, dot in asked])
        for (place, label, _, _), result in zip(asked, results, strict=True):
            values[place][label] = result
        return [topic.keys(event, found) for (event, topic), found in zip(pairs, values, strict=True)]

    async def fitting(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those whose open keys and own predicates let the event through."""
        fits = [True] * len(candidates)
        asked: list[tuple[int, Expression, Json, dict[str, Json]]] = []
        for at, one in enumerate(candidates):
            if one.row.key != ANY_KEY and one.topic.run_predicate is None:
                continue
            body = unpack_listener(one.row.body)
            if one.row.key == ANY_KEY and not known_fit(body, one.keys):
                fits[at] = False
            elif one.topic.run_predicate is not None:
                variables = {name: _decode(value) for name, value in body.variables.items()}
                asked.append((at, one.topic.run_predicate, one.event.get("data"), variables))
        for (at, *_), result in zip(asked, await self.evaluate([one[1:] for one in asked]), strict=True):
            fits[at] = not isinstance(result, Fault) and result not in (None, False)
        return [one for one, fit in zip(candidates, fits, strict=True) if fit]

    async def evaluate(self, asked: Sequence[tuple[Expression, Json, dict[str, Json]]]) -> list[Json | Fault]:
        """Natively where it can be, all others in batches that the workers take."""
        results: list[Json | Fault] = [None] * len(asked)
        remote: list[tuple[int, Evaluation]] = []
        for place, (expression, dot, variables) in enumerate(asked):
            if expression.native:
                value = self._evaluator.native(expression.text, dot, variables)
                results[place] = value.data if isinstance(value, Value) else value
            else:
                named = {name: _encode(value) for name, value in variables.items()}
                remote.append((place, Evaluation(expression.text, _encode(dot), named)))
        for batch in _chunks(remote):
            values = await self._evaluator.evaluate([evaluation for _, evaluation in batch])
            for (place, _), value in zip(batch, values, strict=True):
                results[place] = value.data if isinstance(value, Value) else value
        return results


def key_of(values: Keys) -> str:
    """The key by which a listener that expects these values is found."""
    return correlation_key({name: value.data for name, value in values.items()})


def known_fit(body: ListenerBody, keys: Keys) -> bool:
    """Whether an event has the values that a listener with open keys knows already."""
    return all(name in keys and json_equal(_decode(known), keys[name].data) for name, known in body.known.items())


def group_by_event(candidates: Iterable[Candidate]) -> dict[int, Found]:
    """The matches by place and run."""
    found: dict[int, dict[str, list[EventMatch]]] = {}
    for one in candidates:
        match = EventMatch(one.row.entry, one.row.filter, one.keys)
        found.setdefault(one.place, {}).setdefault(one.row.run_id, []).append(match)
    return {place: {run: _sorted(matches) for run, matches in by_run.items()} for place, by_run in found.items()}


def _sorted(matches: Iterable[EventMatch]) -> tuple[EventMatch, ...]:
    return tuple(sorted(matches, key=lambda match: (match.entry, match.filter)))


def _lookups(topic: EventTopic, values: Keys) -> list[tuple[str, str]]:
    """Under which keys a listener for these values may be found."""
    if not values:
        return [(topic.topic, "")]
    return [(topic.topic, key_of(values)), (topic.topic, ANY_KEY)]


def _pieces(sizes: Sequence[int]) -> list[range]:
    """Cuts places into pieces of a bounded sum of sizes; one that is larger stands alone."""
    pieces: list[range] = []
    start, total = 0, 0
    for place, size in enumerate(sizes):
        if place > start and total + size > MAX_MATCHED_AT_ONCE:
            pieces.append(range(start, place))
            start, total = place, 0
        total += size
    return [*pieces, range(start, len(sizes))] if start < len(sizes) else pieces


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + MAX_MATCHED_AT_ONCE] for start in range(0, len(items), MAX_MATCHED_AT_ONCE)]
