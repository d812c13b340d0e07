"""What is told of an event and those who could be meant by it."""

from typing import Literal, TypeAlias

import msgspec

from penstock.kernel.instants import rfc3339
from penstock.model.json_value import Json
from penstock.runtime.event_rows import event_of
from penstock.runtime.masking import Mask
from penstock.runtime.why import masked
from penstock.store.rows import EventRow

Verdict: TypeAlias = Literal["delivered", "held", "waiting", "no", "nobody"]
"""It was taken; it was delivered and is held; it matches and is on its way; it does not match; it would, but nobody
listens."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A listener that could be meant, or a filter that nobody listens with (`run_id` is "" then)."""

    workflow: str
    verdict: Verdict
    reason: str
    run_id: str = ""
    reference: str = ""
    name: str = ""
    filter: int = 0

    def as_json(self) -> dict[str, Json]:
        return {
            "run": self.run_id or None,
            "workflow": self.workflow,
            "reference": self.reference,
            "name": self.name,
            "filter": self.filter,
            "verdict": self.verdict,
            "reason": self.reason,
        }


class EventWhy(msgspec.Struct, frozen=True):
    """An event and its candidates. `more`: there are others that were not looked at."""

    row: EventRow
    candidates: tuple[Candidate, ...]
    more: bool

    def as_json(self, mask: Mask) -> dict[str, Json]:
        """`GET /api/v1/events/{source}/{id}/matches`; the event as it is, the words without secrets."""
        return {
            "event": event_of(self.row),
            "came_at": rfc3339(self.row.at),
            "expires_at": rfc3339(self.row.expires_at),
            "candidates": [masked(one.as_json(), mask) for one in self.candidates],
            "more": self.more,
        }


def in_order(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Those that have the event first, those that do not match last."""
    return tuple(sorted(candidates, key=_order))


def _order(one: Candidate) -> tuple[int, str, str, int]:
    rank = ("delivered", "held", "waiting", "nobody", "no").index(one.verdict)
    return rank, one.workflow, one.run_id, one.filter
