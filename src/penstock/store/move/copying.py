"""Copies a table from where the target has it already: a move that was killed goes on, and nothing is doubled."""

from collections.abc import Sequence

from penstock.errors import Conflict
from penstock.store.move.comparing import compare
from penstock.store.move.ends import Source, Target
from penstock.store.move.progress import Progress, Tell
from penstock.store.move.tables import Carried, Row


async def copy_table(source: Source, target: Target, table: Carried, tell: Tell) -> None:
    """Makes the target's rows those of the source. What is alike from the beginning stays; the rest is written anew,
    so that a source that went on working between two attempts does no harm. Raises `Conflict` naming a row that the
    target cannot hold."""
    after: Row | None = None
    rows_done = 0
    if not await target.is_empty([table.name]):
        before = await compare(source, target, table, tell, only_common=True)
        after, rows_done = before.last_common, before.common_rows
        if before.first_different is not None:
            await target.delete_after(table, after)
    while rows := await source.page(table, table.columns, after):
        if not target.holds_nul:
            refuse_nul(table, rows)
        await target.write(table, table.complete(rows))
        after = table.key_of(rows[-1])
        rows_done += len(rows)
        tell(Progress("copy", table.name, rows_done))
    if table.numbered is not None:
        await target.number_after(table, await source.last_number(table))
    tell(Progress("copy", table.name, rows_done, done=True))


def refuse_nul(table: Carried, rows: Sequence[Row]) -> None:
    """Raises `Conflict` for the first row with a text that PostgreSQL cannot hold."""
    for row in rows:
        for at in table.texts:
            if row[at] is not None and "\0" in row[at]:
                raise Conflict(
                    f"{table.name_row(table.key_of(row))}: its column {table.columns[at]} holds the character NUL, "
                    "which text in PostgreSQL cannot; delete what it belongs to, or stay with SQLite"
                )
