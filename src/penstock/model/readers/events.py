"""Readers of event filters, consumption strategies and schedules."""

import re
from typing import Final, cast

from penstock.model.event_filters import Correlation, EventFilter, EventStrategy, ReadAs
from penstock.model.json_value import Json
from penstock.model.plain_data import is_map
from penstock.model.readers.data_flow import read_uri
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.values import (
    is_expression,
    read_choice,
    read_condition,
    read_data,
    read_value_text,
)

_ATTRIBUTES: Final = ("id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data")
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ATTRIBUTE_NAME: Final = re.compile(r"[A-Za-z0-9]+")


def read_read_as(node: Node) -> ReadAs:
    return cast(ReadAs, read_choice(node, ("data", "envelope", "raw")))


def read_event_properties(node: Node, *, filter_: bool) -> dict[str, Json]:
    """The attributes under `with`: of an event to emit, or of a filter, whose values may be patterns."""
    properties: dict[str, Json] = {}
    for key, member in node.members():
        properties[key] = member.value
        if key == "data":
            read_data(member)
        elif key in ("source", "dataschema") and not filter_:
            read_uri(member)
        elif key in _ATTRIBUTES:
            text = read_value_text(member)
            if key == "time" and not filter_ and not is_expression(text) and not _DATE_TIME.fullmatch(text):
                member.error("expected a date and time such as 2026-01-31T12:00:00Z, or ${ }", "date-time")
        else:
            _read_extension(key, member, filter_=filter_)
    return properties


def _read_extension(key: str, member: Node, *, filter_: bool) -> None:
    if not filter_ and not _ATTRIBUTE_NAME.fullmatch(key):
        member.error(f"{key[:100]!r} is no CloudEvents attribute name: letters and digits only", "event-attribute")
    read_data(member)


def read_filter(node: Node) -> EventFilter:
    fields = Fields(node, ("with", "correlate"), ("with",))
    attributes = fields.read("with", lambda member: read_event_properties(member, filter_=True), {})
    if fields.has("with") and attributes == {} and isinstance(fields.plain("with"), dict):
        fields.node_of("with").error("an event filter names at least one attribute", "empty")
    return EventFilter(attributes=attributes, correlate=fields.read("correlate", _read_correlations, ()))


def _read_correlations(node: Node) -> tuple[Correlation, ...]:
    correlations: list[Correlation] = []
    for key, member in node.members():
        fields = Fields(member, ("from", "expect"), ("from",), open_=True)
        from_ = fields.read("from", read_condition, "")
        correlations.append(Correlation(key, from_, fields.read("expect", read_value_text, None)))
    return tuple(correlations)


def read_strategy(node: Node, *, inner: bool = False) -> EventStrategy:
    """Exactly one of `one`, `all`, `any`; `inner` is a strategy under `until`, which has none itself."""
    fields = Fields(node, ("one", "all", "any") if inner else ("one", "all", "any", "until"))
    modes = [mode for mode in ("one", "all", "any") if fields.has(mode)]
    if len(modes) != 1:
        if is_map(node.value):
            node.error("exactly one of one, all, any says which events are consumed", "choice")
        return EventStrategy(mode="one", filters=())
    if fields.has("until") and modes[0] != "any" and not inner:
        fields.node_of("until").error("'until' goes with 'any' only", "choice", at_key=True)
    if modes[0] == "one":
        return EventStrategy(mode="one", filters=(read_filter(fields.node_of("one")),))
    filters = tuple(read_filter(item) for item in fields.node_of(modes[0]).items())
    if modes[0] == "all":
        return EventStrategy(mode="all", filters=filters)
    return _read_any(fields, filters)


def _read_any(fields: Fields, filters: tuple[EventFilter, ...]) -> EventStrategy:
    until = fields.node_of("until")
    if until.value is False:
        return EventStrategy(mode="any", filters=filters, forever=True)
    if isinstance(until.value, str):
        return EventStrategy(mode="any", filters=filters, until=read_condition(until))
    if is_map(until.value):
        return EventStrategy(mode="any", filters=filters, until_strategy=read_strategy(until, inner=True))
    if fields.has("until"):
        until.wrong_type("an expression, a consumption strategy or false")
    return EventStrategy(mode="any", filters=filters)
