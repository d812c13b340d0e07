"""The first clause of a filter that an event does not meet, in the words of the document. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from penstock.errors import Fault
from penstock.events.attributes import json_equal
from penstock.model.json_value import Json
from penstock.runtime.envelopes import ListenerBody
from penstock.runtime.filter_words import FilterPlace, cut, shown

RUN_PREDICATE: Final = "data of the run"
"""The label of the result of a predicate that names variables of the run."""
_decode: Final = msgspec.json.Decoder().decode


def first_failure(
    place: FilterPlace, event: Mapping[str, Json], results: Mapping[str, Json | Fault], body: ListenerBody | None
) -> str | None:
    """Why the event does not match; None if it does.

    `results` are those of the topic's expressions on this event by label, and of its `run_predicate` as
    `RUN_PREDICATE`. Without `body` what a listener expects is left out.
    """
    for name, wanted in place.filter.attributes.items():
        if (failure := _attribute(place, name, wanted, event, results, body)) is not None:
            return failure
    for one in place.filter.correlate:
        if (failure := _correlation(one.key, one.from_, results[f"correlate/{one.key}"], body)) is not None:
            return failure
    return None


def _attribute(
    place: FilterPlace,
    name: str,
    wanted: Json,
    event: Mapping[str, Json],
    results: Mapping[str, Json | Fault],
    body: ListenerBody | None,
) -> str | None:
    matchers = dict(place.topic.matchers)
    if name in matchers:
        if name in event and matchers[name](event[name]):
            return None
        return _differs(name, wanted, event)
    if f"with/{name}" in place.topic.dynamic:
        if name not in event:
            return _differs(name, wanted, event)
        known = None if body is None else body.known.get(f"with/{name}")
        if known is None or json_equal(_decode(known), event[name]):
            return None
        return _differs(name, _decode(known), event)
    label = "data" if place.topic.run_predicate is None else RUN_PREDICATE
    return _predicate(wanted, results[label]) if label in results else None


def _differs(name: str, wanted: Json, event: Mapping[str, Json]) -> str:
    was = f"was {shown(event[name])}" if name in event else "the event has none"
    return f"with.{name}: expected {shown(wanted)}, but {was}"


def _predicate(wanted: Json, result: Json | Fault) -> str | None:
    text = cut(str(wanted))
    if isinstance(result, Fault):
        return f"with.data: {text} failed: {cut(result.detail)}"
    if result is None or result is False:
        return f"with.data: {text} is {shown(result)} for this event"
    return None


def _correlation(key: str, from_: str, result: Json | Fault, body: ListenerBody | None) -> str | None:
    clause = f"correlate.{key}"
    if isinstance(result, Fault):
        return f"{clause}: {cut(from_)} failed: {cut(result.detail)}"
    if result is None:
        return f"{clause}: {cut(from_)} gives nothing for this event"
    known = None if body is None else body.known.get(key)
    if known is None or json_equal(_decode(known), result):
        return None
    return f"{clause}: the run expects {shown(_decode(known))}, the event has {shown(result)}"
