"""How long ended runs are kept: what a workflow says of its own under `document.metadata`.

    metadata: {penstock: {retain: {age: P30D, runs: 1000}}}

A run may go when it ended longer ago than `age`, or when at least `runs` runs of its workflow ended after it.
"""

from collections.abc import Mapping
from typing import Final, TypeGuard

import msgspec

from penstock.model.diagnostics import Diagnostic, suggestion
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json
from penstock.model.limits import MAX_RETAINED_RUNS, MIN_RETAINED_MS
from penstock.model.plain_data import is_map

_MEMBERS: Final = ("age", "runs")
_POINTER: Final = "/document/metadata/penstock"


class Retention(msgspec.Struct, frozen=True):
    """`age_ms`: ended runs go after this time; `runs`: so many that ended last are kept. None keeps all."""

    age_ms: int | None = None
    runs: int | None = None

    def over(self, other: "Retention") -> "Retention":
        """This one, with the members of `other` where it says nothing."""
        return Retention(
            other.age_ms if self.age_ms is None else self.age_ms, other.runs if self.runs is None else self.runs
        )


def read_retention(metadata: Mapping[str, Json]) -> Retention | tuple[Diagnostic, ...]:
    """What the metadata of a workflow asks for, or what is wrong with it (places without line and column)."""
    ours = metadata.get("penstock")
    if ours is None:
        return Retention()
    if not is_map(ours):
        return (_wrong("", "must be an object"),)
    retain = ours.get("retain")
    if retain is None:
        return Retention()
    if not is_map(retain):
        return (_wrong("/retain", "must be an object with age and runs, like {age: P30D, runs: 1000}"),)
    unknown = [name for name in retain if name not in _MEMBERS]
    wrong = [_wrong(f"/retain/{name}", f"is not known{suggestion(name, _MEMBERS)}") for name in unknown]
    age, runs = retain.get("age"), retain.get("runs")
    age_ms = None if age is None else duration_ms(age)
    if isinstance(age_ms, str):
        wrong.append(_wrong("/retain/age", age_ms))
    elif age_ms is not None and age_ms < MIN_RETAINED_MS:
        wrong.append(_wrong("/retain/age", f"must be at least {MIN_RETAINED_MS // 1000} seconds"))
    if runs is not None and not _is_count(runs):
        wrong.append(_wrong("/retain/runs", f"must be a whole number from 0 to {MAX_RETAINED_RUNS}"))
    if wrong:
        return tuple(wrong)
    return Retention(age_ms if isinstance(age_ms, int) else None, runs)


def _is_count(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_RETAINED_RUNS


def _wrong(place: str, reason: str) -> Diagnostic:
    where = f"penstock{place.replace('/', '.')}"
    return Diagnostic("error", f"{_POINTER}{place}", f"{where}: {reason}", "retention")
