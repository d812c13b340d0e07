"""Durations of the DSL: literal (ISO 8601 or a map) or an expression that yields one."""

import re
from typing import Final, cast

import msgspec

from penstock.model.json_value import Json
from penstock.model.limits import MAX_WAIT_MS

_UNITS: Final = {
    "days": 86_400_000,
    "hours": 3_600_000,
    "minutes": 60_000,
    "seconds": 1_000,
    "milliseconds": 1,
}
_NUMBER = r"(\d+(?:\.\d+)?)"
_ISO: Final = re.compile(
    rf"P(?!$)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
_ISO_MS: Final = (365 * 86_400_000, 30 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000)


class Duration(msgspec.Struct, frozen=True):
    """Either `ms` (milliseconds, >= 0) or `expression` (text without `${ }`) is set."""

    ms: int | None = None
    expression: str | None = None


def duration_ms(value: Json) -> int | str:
    """Milliseconds of a literal duration, or the reason why it is none.

    Years count 365 days and months 30 (ISO 8601 leaves both open; DSL reference, "Duration").
    """
    total = (
        _map_ms(cast("dict[str, Json]", value))
        if isinstance(value, dict)
        else _iso_ms(value)
        if isinstance(value, str)
        else None
    )
    if total is None:
        return f"not a duration: {value!r}; write for example PT1M30S or {{minutes: 1, seconds: 30}}"
    if total > MAX_WAIT_MS:
        return f"the duration {value!r} is longer than the limit of a hundred years"
    return total


def _map_ms(value: dict[str, Json]) -> int | None:
    total = 0
    for unit, amount in value.items():
        if unit not in _UNITS or not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            return None
        total += amount * _UNITS[unit]
    return total if value else None


def _iso_ms(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    return round(sum(float(amount) * ms for amount, ms in zip(match.groups(), _ISO_MS, strict=True) if amount))
