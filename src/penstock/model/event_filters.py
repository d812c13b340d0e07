"""Which events a listener or a schedule consumes."""

from typing import Literal

import msgspec

from penstock.model.json_value import Json

ReadAs = Literal["data", "envelope", "raw"]


class Correlation(msgspec.Struct, frozen=True, omit_defaults=True):
    """`from_` is evaluated on the event's envelope; `expect` as written, None when absent."""

    key: str
    from_: str
    expect: str | None = None


class EventFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """`attributes` as written: literals, regular expressions or `${ }` strings; `data` may be a predicate."""

    attributes: dict[str, Json]
    correlate: tuple[Correlation, ...] = ()


class EventStrategy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many of the filters must be met.

    `one`: exactly one filter. `all`: each filter once. `any`: the first event of any filter; an empty `any`
    takes every event; with `until` or `until_strategy` it goes on until that holds (False: an `until: false`,
    never).
    """

    mode: Literal["one", "all", "any"]
    filters: tuple[EventFilter, ...]
    until: str | None = None  # an expression, with or without ${ }
    until_strategy: "EventStrategy | None" = None
    forever: bool = False
