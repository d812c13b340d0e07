"""Moves a stopped system to another store, so that it can be killed at any point and run again.

1. The target gets a mark, so that no engine opens it.
2. Each table is copied in the order of its key, from where the target has it already.
3. Each table is read back on both sides: every row is compared, counted and digested.
4. The source gets a mark that says where the system is now; only then the mark of the target goes. At no instant could
   engines open both, and before the last step the source has not changed.
"""

from collections.abc import Callable, Sequence

import msgspec

from penstock.errors import Conflict, InfrastructureError
from penstock.store.marks import Mark, Moved, MovedTable, Unfinished
from penstock.store.move.comparing import compare, digest_of
from penstock.store.move.copying import copy_table, refuse_nul
from penstock.store.move.ends import Source, Target
from penstock.store.move.opening import both_ends
from penstock.store.move.progress import Tell
from penstock.store.move.tables import LEFT_OUT, Carried, Row, moved_alone, moved_between


class MoveReport(msgspec.Struct, frozen=True):
    """What was moved, or would be. `repeated` says that this had happened before, and `tables` is what it was then."""

    source: str
    target: str
    tables: tuple[MovedTable, ...]
    dry_run: bool = False
    repeated: bool = False

    @property
    def secrets(self) -> int:
        """How many sealed secrets there are: the key that opens them is in neither store."""
        return sum(table.rows for table in self.tables if table.name == "secrets")


async def move(
    source_url: str, target_url: str, *, now: Callable[[], int], tell: Tell, dry_run: bool = False
) -> MoveReport:
    """Moves everything, or with `dry_run` reads everything and changes nothing. `now` gives milliseconds UTC.

    Raises `CallerError` for URLs that cannot be moved between, `NotFound` without a source, `StoreInUse` while an
    engine has one of them, `Conflict` if the target holds something else or cannot hold a row, and
    `InfrastructureError` if a store fails or what was read back is not the same.
    """
    async with both_ends(source_url, target_url) as (source, target):
        before = await source.mark()
        _refuse_source(before, source, target)
        if not await _is_ours(source, target):
            if isinstance(before, Moved):
                return MoveReport(source.place, target.place, before.tables, dry_run=dry_run, repeated=True)
            raise Conflict(f"{target.place} holds data already; a system is moved into an empty store")
        if dry_run:
            return MoveReport(source.place, target.place, await _look(source, target, tell), dry_run=True)
        await target.prepare(Unfinished(source.place, now()))
        moved = await _fill(source, target, tell)
        if before is None:
            await source.set_mark(Moved(target.place, now(), moved))
        await target.set_mark(None)
        return MoveReport(source.place, target.place, moved)


async def verify(source: Source, target: Target, tables: Sequence[Carried], tell: Tell) -> tuple[MovedTable, ...]:
    """Reads everything back. Raises `InfrastructureError` naming the table and the first key that differs."""
    verified: list[MovedTable] = []
    for table in tables:
        found = await compare(source, target, table, tell)
        if found.first_different is not None or found.source_digest != found.target_digest:
            where = table.name_row(found.first_different) if found.first_different else table.name
            raise InfrastructureError(
                f"the copy differs at {where}: {found.source_rows:,} rows with digest {found.source_digest} at the "
                f"source, {found.target_rows:,} with {found.target_digest} at the target; nothing is finished, "
                "the same command again makes up for it"
            )
        if table.numbered and (wanted := await source.last_number(table)) != await target.last_number(table):
            raise InfrastructureError(f"the numbers of {table.name} do not go on after {wanted} at the target")
        verified.append(MovedTable(table.name, found.source_rows, found.source_digest))
    if (wanted := await source.routed_until()) != await target.routed_until():
        raise InfrastructureError(f"the routing of events does not go on after {wanted} at the target")
    return tuple(verified)


async def _fill(source: Source, target: Target, tell: Tell) -> tuple[MovedTable, ...]:
    tables = moved_between(await source.tables(), await target.tables())
    for table in tables:
        await copy_table(source, target, table, tell)
    await target.route_after(await source.routed_until())
    verified = await verify(source, target, tables, tell)
    await target.settle()
    return verified


async def _look(source: Source, target: Target, tell: Tell) -> tuple[MovedTable, ...]:
    """Reads the source, and says of what the target could not hold."""
    found: list[MovedTable] = []
    for table in moved_alone(await source.tables()):
        reader = await digest_of(source, table, tell, _accept if target.holds_nul else refuse_nul)
        found.append(MovedTable(table.name, reader.rows, reader.digest))
    return tuple(found)


def _accept(table: Carried, rows: Sequence[Row]) -> None:
    """A target of the same kind holds everything."""


def _refuse_source(mark: Mark | None, source: Source, target: Target) -> None:
    match mark:
        case Unfinished(source=other):
            raise Conflict(f"{source.place} is itself the unfinished target of a move from {other}")
        case Moved(target=other) if other != target.place:
            raise Conflict(f"the system in {source.place} was moved to {other} already: move it from there")
        case _:
            return


async def _is_ours(source: Source, target: Target) -> bool:
    """Whether the target is empty, or was begun by this move. Raises `Conflict` if another move left a mark there."""
    match await target.mark():
        case Unfinished(source=other):
            if other != source.place:
                raise Conflict(f"{target.place} is the unfinished target of a move from {other}; take an empty store")
            return True
        case Moved(target=other):
            raise Conflict(f"the system in {target.place} was moved to {other}; take an empty store")
        case None:
            tables = await target.tables()
            return not tables or await target.is_empty([name for name in tables if name not in LEFT_OUT])
