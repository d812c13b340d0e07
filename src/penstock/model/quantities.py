"""Numbers that may be unknown for stated reasons: the arithmetic of bounds."""

from collections.abc import Iterable
from typing import Final

import msgspec

_LARGEST: Final = 2**53  # beyond this a count says no more than "too many", and JSON readers would round it


class Quantity(msgspec.Struct, frozen=True):
    """A worst case; None when there is none, with the reasons why."""

    value: int | None
    reasons: tuple[str, ...] = ()


class Cost(msgspec.Struct, frozen=True):
    """The worst case of a part of a workflow."""

    steps: Quantity
    calls: Quantity
    time_ms: Quantity


def exactly(value: int) -> Quantity:
    return Quantity(value) if value <= _LARGEST else Quantity(None, ("a number too large to be of use",))


def unknown(reason: str) -> Quantity:
    return Quantity(None, (reason,))


def add(*quantities: Quantity) -> Quantity:
    """The sum; unknown when one of them is."""
    values = [quantity.value for quantity in quantities]
    if None in values:
        return Quantity(None, _all_reasons(quantities))
    return exactly(sum(value for value in values if value is not None))


def most(quantities: Iterable[Quantity]) -> Quantity:
    """The largest; 0 of none; unknown when one of them is."""
    listed = tuple(quantities)
    values = [quantity.value for quantity in listed]
    if None in values:
        return Quantity(None, _all_reasons(listed))
    return Quantity(max((value for value in values if value is not None), default=0))


def times(count: Quantity, each: Quantity) -> Quantity:
    """The product; nothing done any number of times is nothing."""
    if each.value == 0 or count.value == 0:
        return Quantity(0)
    if count.value is None or each.value is None:
        return Quantity(None, _all_reasons((count, each)))
    return exactly(count.value * each.value)


def at_most(quantity: Quantity, limit: int | None) -> Quantity:
    """The quantity under a limit; None is no limit."""
    if limit is None or (quantity.value is not None and quantity.value <= limit):
        return quantity
    return exactly(limit)


def in_sequence(costs: Iterable[Cost]) -> Cost:
    """One after the other."""
    listed = tuple(costs)
    return Cost(
        add(*(cost.steps for cost in listed)),
        add(*(cost.calls for cost in listed)),
        add(*(cost.time_ms for cost in listed)),
    )


def repeated(count: Quantity, cost: Cost) -> Cost:
    """The same, `count` times, one after the other."""
    return Cost(times(count, cost.steps), times(count, cost.calls), times(count, cost.time_ms))


def _all_reasons(quantities: Iterable[Quantity]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for quantity in quantities for reason in quantity.reasons))
