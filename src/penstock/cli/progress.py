"""A run's tasks as its lifecycle events tell them, for watching: events in, rows of tasks out. Pure."""

from typing import Final

from penstock.cli.members import map_of
from penstock.cli.tree import name_of
from penstock.model.json_value import Json

ENDS: Final = frozenset({"completed", "faulted", "cancelled"})
_STATUS: Final = {
    "created": "pending",
    "started": "running",
    "suspended": "suspended",
    "resumed": "running",
    "retried": "running",
    "cancelled": "cancelled",
    "faulted": "faulted",
    "completed": "completed",
    "skipped": "skipped",
}
_TASK_ENDS: Final = frozenset({*ENDS, "skipped"})


class Progress:
    """What is known of a run so far. `status` is the run's, `tasks` one row per entry and attempt."""

    def __init__(self) -> None:
        self.status = "pending"
        self._rows: dict[tuple[Json, Json], dict[str, Json]] = {}

    @property
    def tasks(self) -> list[dict[str, Json]]:
        return list(self._rows.values())

    @property
    def ended(self) -> bool:
        return self.status in ENDS

    def take(self, event: dict[str, Json]) -> dict[str, Json] | None:
        """Takes the next lifecycle event; returns the row of the task that it is about."""
        scope, verb = kind_of(str(event.get("type", "")))
        status = _STATUS.get(verb)
        if scope == "workflow":
            self.status = status or self.status
        if scope != "task" or status is None:
            return None
        return self._task(event, status)

    def _task(self, event: dict[str, Json], status: str) -> dict[str, Json]:
        data = map_of(event.get("data"))
        reference = str(data.get("task", ""))
        key = (data.get("entry"), data.get("attempt"))
        row = self._rows.setdefault(
            key,
            {
                "reference": reference,
                "name": name_of(reference),
                "attempt": data.get("attempt") or 0,
                "path": data.get("path") or [],
                "started_at": None,
                "ended_at": None,
            },
        )
        row["status"] = status
        if status == "running" and not row["started_at"]:
            row["started_at"] = event.get("time")
        if status in _TASK_ENDS:
            row["ended_at"] = event.get("time")
        return row


def kind_of(type_: str) -> tuple[str, str]:
    """Scope and verb of `io.serverlessworkflow.task.started.v1`."""
    parts = type_.split(".")
    return (parts[-3], parts[-2]) if len(parts) > 3 else ("", "")
