"""Which ids a list of runs can hold, so that the others are not read."""

from typing import Final

from penstock.kernel.ids import first_id

_ABOVE_ALL: Final = "\U0010ffff"
"""Sorts after every id."""


def id_range(prefix: str, before: str | None, since: int | None, until: int | None) -> tuple[str, str]:
    """The least id (inclusive), and the one that all are below, of runs whose id begins with `prefix`, is below
    `before`, and that were created from `since` on and before `until` (milliseconds UTC)."""
    lowest = prefix if since is None else max(prefix, first_id(since))
    limits = (before or _ABOVE_ALL, prefix + _ABOVE_ALL, _ABOVE_ALL if until is None else first_id(until))
    return lowest, min(limits)
