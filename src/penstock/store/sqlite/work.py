"""Work that tools take by event: offered and withdrawn with turns, leased, pushed, listed."""

from collections.abc import Sequence
from typing import Final

import msgspec

from penstock.store.leases import first_to_lease, leased
from penstock.store.rows import RunCommit, WorkRow, WorkState
from penstock.store.sqlite.mapping import as_json
from penstock.store.sqlite.session import Session

_BEFORE_ALL: Final = (-1, "", "")


def write_work(session: Session, turns: Sequence[RunCommit]) -> None:
    """What turns withdraw goes before what they offer comes; ended runs lose what is left."""
    if gone := [call_id for turn in turns for call_id in turn.withdraw]:
        session.execute("delete_work", (as_json(gone),))
    session.write_rows("delete_work_of_tools", [place for turn in turns for place in turn.withdraw_tools])
    offers = [offer for turn in turns for offer in turn.offers]
    session.write_rows("insert_work", [msgspec.structs.astuple(offer) for offer in offers])
    if ended := [turn.run.id for turn in turns if turn.run.ended_at]:
        session.execute("delete_work_of_runs", (as_json(ended),))


def lease_work(session: Session, tool: str, now: int, until: int, holder: str, limit: int) -> list[WorkRow]:
    """The writer is alone in its transaction: what it finds is what it leases."""
    parameters = {"tool": tool, "now": now, "limit": limit}
    found = (WorkRow(*row) for row in session.execute("work_to_lease", parameters).fetchall())
    rows = first_to_lease(found, limit)
    if rows:
        lease = {"calls": as_json([row.call_id for row in rows]), "tool": tool, "until": until, "holder": holder}
        session.execute("lease_work", lease)
    return [leased(row, until, holder) for row in rows]


def next_work_at(session: Session, tool: str) -> int | None:
    return session.execute("next_work_at", {"tool": tool}).fetchone()[0]


def renew_work(session: Session, call_id: str, tool: str, token: int, until: int) -> bool:
    return session.execute("renew_work", (until, call_id, tool, token)).rowcount == 1


def return_work(session: Session, call_id: str, tool: str, token: int, due_at: int | None) -> bool:
    return session.execute("return_work", (due_at, call_id, tool, token)).rowcount == 1


def push_due(session: Session, until: int, limit: int) -> list[WorkRow]:
    return [WorkRow(*row) for row in session.execute("push_due", (until, limit))]


def next_push_at(session: Session) -> int | None:
    return session.execute("next_push_at").fetchone()[0]


def push_result(
    session: Session, call_id: str, tool: str, state: WorkState, attempts: int, due_at: int, reason: str
) -> bool:
    parameters = (state, attempts, due_at, reason, call_id, tool, attempts)
    return session.execute("push_result", parameters).rowcount == 1


def list_work(
    session: Session, tool: str | None, state: WorkState | None, after: tuple[int, str, str] | None, limit: int
) -> list[WorkRow]:
    created_at, call_id, name = after or _BEFORE_ALL
    parameters = {
        "tool": tool,
        "state": state,
        "created_at": created_at,
        "call_id": call_id,
        "after_tool": name,
        "limit": limit,
    }
    statement = "list_dead_work" if state == "dead" else "list_work"
    return [WorkRow(*row) for row in session.execute(statement, parameters)]


def redeliver(session: Session, tool: str, call_id: str | None) -> int:
    return session.execute("redeliver", {"tool": tool, "call_id": call_id}).rowcount


def count_work(session: Session) -> dict[tuple[str, WorkState], int]:
    return {(row[0], row[1]): row[2] for row in session.execute("count_work")}
