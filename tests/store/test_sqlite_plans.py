"""No statement of the SQLite store reads a whole table, however many rows it is given; those that must are named."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Final

import pytest

from penstock.store.counters import StoreCounters
from penstock.store.sqlite import reads
from penstock.store.sqlite.migrate import load_migrations, migrate
from penstock.store.sqlite.session import Session
from penstock.store.statements import load_statements
from tests.store.samples import BEGAN, run_id

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


@pytest.mark.parametrize("name", ["list_runs", "list_runs_by_status", "list_runs_by_workflow", "list_runs_by_label"])
def test_lists_of_runs_are_bounded_by_ids(connection: sqlite3.Connection, name: str) -> None:
    named = dict.fromkeys(re.findall(r":(\w+)", STATEMENTS[name]), 1)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {STATEMENTS[name]}", named)]
    assert any(re.search(r"id>\? AND (run_)?id<\?", step) for step in plan), "\n".join(plan)


def test_runs_of_other_times_are_not_read() -> None:
    """What lists of ten runs cost among a thousand and among ten thousand, in steps of SQLite's machine."""
    few, many = _steps_to_list(1_000), _steps_to_list(10_000)
    assert many < 1.5 * few, (few, many)


def _steps_to_list(runs: int) -> int:
    """The steps of two lists, of the first ten runs and of the last ten."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load_migrations(), "in memory")
    session = Session(made, STATEMENTS, StoreCounters())
    made.executemany(
        "INSERT INTO runs VALUES (?, 'a', 'b', '1.0.0', 'completed', ?, 1, 1, NULL, 0, '{}', '', '', '', 1, x'00')",
        [(run_id(number), BEGAN + number) for number in range(runs)],
    )
    steps = [0]

    def count() -> int:
        steps[0] += 10
        return 0

    made.set_progress_handler(count, 10)
    nothing = dict.fromkeys(("status", "namespace", "name", "since", "until", "before"))
    first = reads.list_runs(session, {}, "", {**nothing, "until": BEGAN + 10, "limit": 100})
    last = reads.list_runs(session, {}, "", {**nothing, "since": BEGAN + runs - 10, "limit": 100})
    made.close()
    assert [len(first), len(last)] == [10, 10]
    return steps[0]


def _texts(name: str) -> list[str]:
    """The statement for one row and for several, where it has rows: SQLite plans them differently."""
    text = STATEMENTS[name]
    return [STATEMENTS.rows(name, count) for count in (1, 2, 50)] if _ROW.search(text) else [text]
