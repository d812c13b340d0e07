"""Work that tools take by event: offered and withdrawn with turns, leased, pushed, listed."""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from penstock.model.json_value import Json
from penstock.store.leases import first_to_lease, leased
from penstock.store.partitions import partition_of
from penstock.store.postgres.session import Session, columns
from penstock.store.rows import RunCommit, WorkRow, WorkState

_BEFORE_ALL: Final = (-1, "", "")


async def write_work(session: Session, turns: Sequence[RunCommit]) -> None:
    """What turns withdraw goes before what they offer comes. What ended runs leave goes with their subscriptions."""
    if gone := [call_id for turn in turns for call_id in turn.withdraw]:
        await session.execute("delete_work", gone)
    if places := [place for turn in turns for place in turn.withdraw_tools]:
        await session.execute("delete_work_of_tools", *columns(places))
    # One statement cannot write a row twice: of those for the same call and tool the last stays.
    offers = {(offer.call_id, offer.tool): offer for turn in turns for offer in turn.offers}
    if offers:
        await session.execute("insert_work", *columns(map(_columns_of, offers.values())))


def _columns_of(offer: WorkRow) -> tuple[Json, ...]:
    return (*msgspec.structs.astuple(offer), partition_of(offer.run_id))


async def lease_work(session: Session, tool: str, now: int, until: int, holder: str, limit: int) -> list[WorkRow]:
    """What another transaction has locked is left to it."""
    found = await session.fetch("work_to_lease", tool, now, limit)
    rows = first_to_lease((WorkRow(*row) for row in found), limit)
    if rows:
        await session.execute("lease_work", [row.call_id for row in rows], tool, until, holder)
    return [leased(row, until, holder) for row in rows]


async def next_work_at(session: Session, tool: str) -> int | None:
    return await session.value("next_work_at", tool)


async def renew_work(session: Session, call_id: str, tool: str, token: int, until: int) -> bool:
    return await session.execute("renew_work", call_id, tool, token, until) == 1


async def return_work(session: Session, call_id: str, tool: str, token: int, due_at: int | None) -> bool:
    return await session.execute("return_work", call_id, tool, token, due_at) == 1


async def push_due(session: Session, until: int, limit: int, held: Collection[int]) -> list[WorkRow]:
    return [WorkRow(*row) for row in await session.fetch("push_due", until, limit, list(held))]


async def next_push_at(session: Session, held: Collection[int]) -> int | None:
    return await session.value("next_push_at", list(held))


async def push_result(
    session: Session, call_id: str, tool: str, state: WorkState, attempts: int, due_at: int, reason: str
) -> bool:
    return await session.execute("push_result", call_id, tool, state, attempts, due_at, reason) == 1


async def list_work(
    session: Session, tool: str | None, state: WorkState | None, after: tuple[int, str, str] | None, limit: int
) -> list[WorkRow]:
    parameters: tuple[Json, ...] = (*(after or _BEFORE_ALL), tool, limit)
    if state == "dead":
        rows = await session.fetch("list_dead_work", *parameters)
    else:
        rows = await session.fetch("list_work", *parameters, state)
    return [WorkRow(*row) for row in rows]


async def redeliver(session: Session, tool: str, call_id: str | None) -> int:
    return await session.execute("redeliver", tool, call_id)


async def count_work(session: Session) -> dict[tuple[str, WorkState], int]:
    return {(row[0], row[1]): row[2] for row in await session.fetch("count_work")}
