"""The mark of a move in a database: see `penstock.store.marks`."""

import sqlite3
from typing import Final

from penstock.store.marks import Mark, read_mark, write_mark

_FIND: Final = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'penstock_move'"
_READ: Final = "SELECT mark FROM penstock_move"
_CLEAR: Final = "DROP TABLE IF EXISTS penstock_move"
_MAKE: Final = "CREATE TABLE penstock_move (mark TEXT NOT NULL) STRICT"
_WRITE: Final = "INSERT INTO penstock_move (mark) VALUES (?)"


def mark_of(connection: sqlite3.Connection) -> Mark | None:
    """The mark that the database has."""
    if not connection.execute(_FIND).fetchone()[0]:
        return None
    row = connection.execute(_READ).fetchone()
    return read_mark(row[0]) if row else None


def set_mark(connection: sqlite3.Connection, mark: Mark | None) -> None:
    """Puts a mark in place of the one there is, or takes it away, in a transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_CLEAR)
        if mark is not None:
            connection.execute(_MAKE)
            connection.execute(_WRITE, (write_mark(mark),))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
