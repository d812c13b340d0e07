"""Brings a database to the schema of this version: numbered files, forward only, each in a transaction.

`PRAGMA user_version` holds the number of the last migration; `PRAGMA application_id` marks the file as ours, so
that another program's database is refused instead of being changed.
"""

import sqlite3
from typing import Final

from penstock.errors import InfrastructureError
from penstock.store.migrations import check_known, read_migrations

APPLICATION_ID: Final = 0x50454E53
"""`PENS`: what `file` and SQLite's tools show for the format."""


def load_migrations() -> tuple[str, ...]:
    """The scripts in order; the script at index N leads to schema N + 1."""
    return read_migrations("penstock.store.sqlite")


def migrate(connection: sqlite3.Connection, scripts: tuple[str, ...], place: str) -> None:
    """Applies what is missing. Raises `InfrastructureError` for a newer schema or a file that is not ours."""
    current = known_schema(connection, len(scripts), place)
    for number, script in enumerate(scripts[current:], start=current + 1):
        _apply(connection, script, number)


def known_schema(connection: sqlite3.Connection, newest: int, place: str) -> int:
    """The schema of a database, 0 for an empty one. Raises `InfrastructureError` as `migrate`."""
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
