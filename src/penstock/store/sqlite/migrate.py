"""Brings a database to the schema of this version: numbered files, forward only, each in a transaction.

`PRAGMA user_version` holds the number of the last migration; `PRAGMA application_id` marks the file as ours, so
that another program's database is refused instead of being changed.
"""

import sqlite3
from typing import Final

from penstock.errors import InfrastructureError
from penstock.store.marks import refuse_marked
from penstock.store.migrations import check_known, read_migrations
from penstock.store.sqlite.mark import mark_of

APPLICATION_ID: Final = 0x50454E53
"""`PENS`: what `file` and SQLite's tools show for the format."""


def load_migrations() -> tuple[str, ...]:
    """The scripts in order; the script at index N leads to schema N + 1."""
    return read_migrations("penstock.store.sqlite")


def migrate(connection: sqlite3.Connection, scripts: tuple[str, ...], place: str, *, moving: bool = False) -> None:
    """Applies what is missing. Raises `InfrastructureError` as `known_schema`; a move works on what has its mark."""
    current = (schema_of if moving else known_schema)(connection, len(scripts), place)
    for number, script in enumerate(scripts[current:], start=current + 1):
        _apply(connection, script, number)


def known_schema(connection: sqlite3.Connection, newest: int, place: str) -> int:
    """The schema of a database, 0 for an empty one. Raises `InfrastructureError` for a newer schema, a file that is
    not ours, and one that has the mark of a move."""
    current = schema_of(connection, newest, place)
    refuse_marked(mark_of(connection), place)
    return current


def schema_of(connection: sqlite3.Connection, newest: int, place: str) -> int:
    """`known_schema`, whatever mark the database has."""
    current = _integer(connection, "PRAGMA user_version")
    check_known(current, newest, place)
    mark = _integer(connection, "PRAGMA application_id")
    if mark != APPLICATION_ID and (mark or _integer(connection, "SELECT count(*) FROM sqlite_schema")):
        raise InfrastructureError(f"{place} is a database of another program")
    return current


def _apply(connection: sqlite3.Connection, script: str, number: int) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _integer(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
