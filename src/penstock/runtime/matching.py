"""Which listeners an event matches: once per filter and event, then by index, then run by run for what is left."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from penstock.errors import Fault
from penstock.events.attributes import json_equal
from penstock.events.correlation import correlation_key
from penstock.expressions import Expression
from penstock.kernel.messages import EventMatch
from penstock.kernel.topics import EventTopic
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.runtime.envelopes import ListenerBody, unpack_listener
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.workers import Evaluation
from penstock.store.protocol import Store
from penstock.store.rows import Subscription

ANY_KEY: Final = "*"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

Keys = dict[str, Value]
Wanted = Callable[[Subscription], bool]


class Matching:
    """Stateless but for what it is given; every question goes to the store, whose answer is what counts."""

    def __init__(self, store: Store, evaluator: Evaluator) -> None:
        self._store = store
        self._evaluator = evaluator

    async def matches(
        self, event: Mapping[str, Json], topics: Iterable[EventTopic], wanted: Wanted | None = None
    ) -> dict[str, tuple[EventMatch, ...]]:
        """The listeners by run, for one event and these topics; only those that are `wanted`."""
        keys = await self._keys(event, list(topics))
        if not keys:
            return {}
        lookups: list[tuple[str, str]] = []
        for name, (_, values) in keys.items():
            lookups.append((name, correlation_key({key: value.data for key, value in values.items()})))
            if values:
                lookups.append((name, ANY_KEY))
        found: dict[str, list[EventMatch]] = {}
        for row in await self._store.subscriptions(lookups):
            topic, values = keys[row.topic]
            if (wanted is None or wanted(row)) and await self._fits(row, topic, values, event):
                found.setdefault(row.run_id, []).append(EventMatch(row.entry, row.filter, values))
        return {run_id: tuple(sorted(one, key=_place)) for run_id, one in found.items()}

    async def _keys(
        self, event: Mapping[str, Json], topics: Sequence[EventTopic]
    ) -> dict[str, tuple[EventTopic, Keys]]:
        """The topics that the event matches, with its values for their keys."""
        admitted = [topic for topic in topics if topic.admits(event)]
        asked = [
            (topic, label, expression, topic.dot(label, event))
            for topic in admitted
            for label, expression in topic.expressions
        ]
        values: dict[str, dict[str, Json | Fault]] = {topic.topic: {} for topic in admitted}
        results = await self._evaluate([(expression, dot, {}) for _, _, expression, dot in asked])
        for (topic, label, _, _), result in zip(asked, results, strict=True):
            values[topic.topic][label] = result
        found: dict[str, tuple[EventTopic, Keys]] = {}
        for topic in admitted:
            if (keys := topic.keys(event, values[topic.topic])) is not None:
                found[topic.topic] = (topic, keys)
        return found

    async def _fits(self, row: Subscription, topic: EventTopic, keys: Keys, event: Mapping[str, Json]) -> bool:
        body = unpack_listener(row.body)
        if row.key == ANY_KEY and not _known_fit(body, keys):
            return False
        if topic.run_predicate is None:
            return True
        variables = {name: _decode(value) for name, value in body.variables.items()}
        (result,) = await self._evaluate([(topic.run_predicate, event.get("data"), variables)])
        return not isinstance(result, Fault) and result not in (None, False)

    async def _evaluate(self, asked: Sequence[tuple[Expression, Json, dict[str, Json]]]) -> list[Json | Fault]:
        """Natively where it can be, all others in one batch."""
        results: list[Json | Fault] = [None] * len(asked)
        remote: list[tuple[int, Evaluation]] = []
        for place, (expression, dot, variables) in enumerate(asked):
            if expression.native:
                value = self._evaluator.native(expression.text, dot, variables)
                results[place] = value.data if isinstance(value, Value) else value
            else:
                named = {name: _encode(value) for name, value in variables.items()}
                remote.append((place, Evaluation(expression.text, _encode(dot), named)))
        for (place, _), value in zip(remote, await self._evaluator.evaluate([e for _, e in remote]), strict=True):
            results[place] = value.data if isinstance(value, Value) else value
        return results


def _known_fit(body: ListenerBody, keys: Keys) -> bool:
    return all(name in keys and json_equal(_decode(known), keys[name].data) for name, known in body.known.items())


def _place(match: EventMatch) -> tuple[int, int]:
    return match.entry, match.filter
