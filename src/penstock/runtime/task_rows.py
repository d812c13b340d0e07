"""The task runs of a run, made from its facts: one row per entry and attempt, in the order of entry."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from penstock.kernel.facts import Fact
from penstock.kernel.instants import rfc3339
from penstock.model.json_value import Json

_STATUS: Final = {
    "task.created": "pending",
    "task.started": "running",
    "task.suspended": "suspended",
    "task.resumed": "running",
    "task.cancelled": "cancelled",
    "task.faulted": "faulted",
    "task.completed": "completed",
    "task.skipped": "skipped",
}
_ENDS: Final = frozenset(("cancelled", "faulted", "completed", "skipped"))


class TaskView(msgspec.Struct, frozen=True):
    """One entry into a task, one attempt of it. Instants are milliseconds UTC, 0 when there is none."""

    entry: int
    reference: str
    name: str
    status: str
    attempt: int
    path: tuple[int, ...] = ()
    started_at: int = 0
    ended_at: int = 0
    reason: str = ""
    """Why it waits, when the engine has something to say about it."""

    def as_json(self) -> dict[str, Json]:
        """The row of the HTTP contract."""
        row: dict[str, Json] = {
            "reference": self.reference,
            "name": self.name,
            "status": self.status,
            "attempt": self.attempt,
            "started_at": rfc3339(self.started_at) if self.started_at else None,
            "ended_at": rfc3339(self.ended_at) if self.ended_at else None,
            "entry": self.entry,
            "path": list(self.path),
        }
        return row | {"reason": self.reason} if self.reason else row


class TaskRows:
    """Takes facts in order and holds the rows that they make."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], TaskView] = {}
        self._failed_at = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TaskView]:
        return iter(self._rows.values())

    def take(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if fact.type.startswith("task."):
                self._take(fact)

    def rows(self) -> list[TaskView]:
        return list(self._rows.values())

    def _take(self, fact: Fact) -> None:
        if fact.type == "task.faulted":
            self._failed_at = fact.at
        elif fact.type == "task.retried":
            self._end_attempt(fact)
        key = (fact.entry, fact.attempt)
        before = self._rows.get(key)
        status = _STATUS.get(fact.type) or (before.status if before else "running")
        begins = fact.type in ("task.started", "task.retried", "task.skipped")
        started_at = before.started_at if before and before.started_at else 0
        self._rows[key] = TaskView(
            entry=fact.entry,
            reference=sys.intern(fact.reference) or (before.reference if before else ""),
            name=sys.intern(fact.name) or (before.name if before else ""),
            status=status,
            attempt=fact.attempt,
            path=fact.path or (before.path if before else ()),
            started_at=started_at or (fact.at if begins else 0),
            ended_at=fact.at if status in _ENDS else 0,
        )

    def _end_attempt(self, fact: Fact) -> None:
        """The attempt before failed when the task inside it did, and its row ends with that."""
        key = (fact.entry, fact.attempt - 1)
        if key in self._rows:
            failed_at = self._failed_at or fact.at
            self._rows[key] = msgspec.structs.replace(self._rows[key], status="faulted", ended_at=failed_at)
