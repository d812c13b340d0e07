"""No statement of the SQLite store reads a whole table, however many rows it is given; those that must are named."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Final

import pytest

from penstock.store.sqlite.migrate import load_migrations, migrate
from penstock.store.statements import load_statements

STATEMENTS: Final = load_statements("penstock.store.sqlite", "statements.sql")
READ_ALL: Final = {
    "count_work": "what is asked for is a count of all",
    "delete_inbox_of_runs": "the inbox holds only what waits, and an index would cost every message",
    "get_secrets": "they are all wanted, once, at the start",
    "list_tokens": "they are all wanted",
    "list_tools": "they are all wanted",
}
_ROW: Final = re.compile(r"\(\?(?:, \?)*\) \.\.\.")
_SCAN: Final = re.compile(r"SCAN (\w+)")


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load_migrations(), "in memory")
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(STATEMENTS.names))
def test_a_statement_goes_along_indexes(connection: sqlite3.Connection, name: str) -> None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for text in _texts(name):
        if text.startswith("PRAGMA"):
            continue
        named = dict.fromkeys(re.findall(r":(\w+)", text), 1)
        parameters = named or [1] * text.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]
        scanned = {found[1] for step in plan if (found := _SCAN.match(step))} & tables
        assert bool(scanned) == (name in READ_ALL), "\n".join([text, *plan])


def _texts(name: str) -> list[str]:
    """The statement for one row and for several, where it has rows: SQLite plans them differently."""
    text = STATEMENTS[name]
    return [STATEMENTS.rows(name, count) for count in (1, 2, 50)] if _ROW.search(text) else [text]
