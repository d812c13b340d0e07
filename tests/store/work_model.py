"""What work is, as a plain dictionary: the model that the stores are compared with."""

from collections.abc import Callable

from msgspec.structs import replace

from penstock.store.rows import WorkRow, WorkState

Key = tuple[str, str]
"""Call id and tool."""


class WorkModel:
    """Each method does what the one of the same name does in a store."""

    def __init__(self) -> None:
        self.rows: dict[Key, WorkRow] = {}

    def offer(self, row: WorkRow) -> None:
        key = (row.call_id, row.tool)
        known = self.rows.get(key)
        self.rows[key] = replace(row, token=max(row.token, known.token)) if known else row

    def withdraw(self, gone: Callable[[WorkRow], bool]) -> None:
        self.rows = {key: row for key, row in self.rows.items() if not gone(row)}

    def lease_work(self, tool: str, now: int, until: int, holder: str, limit: int) -> list[WorkRow]:
        due = [row for row in self._of(tool) if row.due_at <= now]
        due.sort(key=lambda row: (row.state == "waiting", row.due_at, row.call_id))
        got = [
            replace(row, state="leased", token=row.token + 1, attempts=row.attempts + 1, due_at=until, holder=holder)
            for row in due[:limit]
        ]
        self.rows.update({(row.call_id, row.tool): row for row in got})
        return got

    def next_work_at(self, tool: str) -> int | None:
        return min((row.due_at for row in self._of(tool)), default=None)

    def renew_work(self, key: Key, token: int, until: int) -> bool:
        return self._change(key, lambda row: row.state == "leased" and row.token == token, due_at=until)

    def return_work(self, key: Key, token: int, due_at: int | None) -> bool:
        at = self.rows[key].created_at if due_at is None and key in self.rows else due_at
        held = lambda row: row.state == "leased" and row.token == token  # noqa: E731 - short
        return self._change(key, held, state="waiting", due_at=at, holder="")

    def push_due(self, until: int) -> list[WorkRow]:
        due = [row for row in self.rows.values() if (row.kind, row.state) == ("push", "waiting")]
        return sorted((row for row in due if row.due_at <= until), key=lambda row: (row.due_at, row.call_id, row.tool))

    def push_result(self, key: Key, state: WorkState, attempts: int, due_at: int) -> bool:
        return self._change(
            key,
            lambda row: (row.kind, row.state, row.attempts) == ("push", "waiting", attempts - 1),
            state=state,
            attempts=attempts,
            due_at=due_at,
            reason=state,
        )

    def redeliver(self, tool: str) -> int:
        dead = [(key, row) for key, row in self.rows.items() if row.tool == tool and row.state == "dead"]
        for key, row in dead:
            self.rows[key] = replace(row, state="waiting", attempts=0, due_at=row.created_at, holder="", reason="")
        return len(dead)

    def listed(self) -> list[WorkRow]:
        return sorted(self.rows.values(), key=lambda row: (row.created_at, row.call_id, row.tool))

    def _of(self, tool: str) -> list[WorkRow]:
        """What can be leased, now or later."""
        return [
            row
            for row in self.rows.values()
            if row.tool == tool and row.kind == "pull" and row.state in {"waiting", "leased"}
        ]

    def _change(self, key: Key, holds: Callable[[WorkRow], bool], **changes: object) -> bool:
        row = self.rows.get(key)
        if row is None or not holds(row):
            return False
        self.rows[key] = replace(row, **changes)
        return True
