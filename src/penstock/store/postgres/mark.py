"""The mark of a move in a schema: see `penstock.store.marks`."""

from typing import Final

from penstock.store.marks import Mark, read_mark, write_mark
from penstock.store.postgres.connection import Connection

_FIND: Final = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'penstock_move')"
_READ: Final = "SELECT mark FROM penstock_move"
_CLEAR: Final = "DROP TABLE IF EXISTS penstock_move"
_MAKE: Final = "CREATE TABLE penstock_move (mark text NOT NULL)"
_WRITE: Final = "INSERT INTO penstock_move (mark) VALUES ($1)"


async def mark_of(connection: Connection, schema: str) -> Mark | None:
    """The mark that the schema has, which may be missing."""
    if not await connection.fetchval(_FIND, schema):
        return None
    text = await connection.fetchval(_READ)
    return read_mark(text) if text else None


async def set_mark(connection: Connection, mark: Mark | None) -> None:
    """Puts a mark in place of the one there is, or takes it away, in a transaction."""
    await connection.execute("BEGIN")
    try:
        await connection.execute(_CLEAR)
        if mark is not None:
            await connection.execute(_MAKE)
            await connection.execute(_WRITE, write_mark(mark))
        await connection.execute("COMMIT")
    except BaseException:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
