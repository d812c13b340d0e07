"""A connection with the named statements: all SQL of the store is executed here.

The `sqlite3` module gives up the interpreter lock around every execution, and beside a busy event loop each of
them may wait for milliseconds to get it back. So writes are grouped: one execution carries many rows.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from penstock.model.json_value import Json
from penstock.store.counters import StoreCounters
from penstock.store.statements import Statements

Parameters = Sequence[Json] | dict[str, Json]
BeforeStatement = Callable[[str], None]

ROWS_PER_STATEMENT: Final = (128, 64, 32, 16, 8, 4, 2, 1)
"""Rows written by one execution. Powers of two make few executions of few sizes, whose statements stay prepared."""


class Session:
    """`before` is called with the name of every statement before it runs; what it raises is an error of that
    statement (tests inject faults by it)."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        statements: Statements,
        counters: StoreCounters,
        before: BeforeStatement | None = None,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._counters = counters
        self._before = before

    def execute(self, name: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Runs a named statement."""
        return self._execute(name, self._statements[name], parameters)

    def control(self, statement: str) -> None:
        """BEGIN, COMMIT, ROLLBACK, SAVEPOINT …"""
        self._execute(statement, statement, ())

    def write_rows(self, name: str, rows: Sequence[Sequence[Json]]) -> int:
        """Runs a row statement over all rows; returns how many rows changed."""
        return sum(self._chunk(name, chunk).rowcount for chunk in chunks(rows))

    def number_rows(self, name: str, rows: Sequence[Sequence[Json]]) -> list[int]:
        """Inserts rows into a table with AUTOINCREMENT; returns their numbers, ascending as the rows."""
        numbers: list[int] = []
        for chunk in chunks(rows):
            # The writer is alone in its transaction, so the numbers of one INSERT follow one another.
            last = self._chunk(name, chunk).lastrowid or 0
            numbers += range(last - len(chunk) + 1, last + 1)
        return numbers

    def select_rows(self, name: str, rows: Sequence[Sequence[Json]]) -> list[Json]:
        """Runs a row statement that selects; returns all that it found."""
        return [found for chunk in chunks(rows) for found in self._chunk(name, chunk).fetchall()]

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()

    def _chunk(self, name: str, rows: Sequence[Sequence[Json]]) -> sqlite3.Cursor:
        parameters = [item for row in rows for item in row]
        return self._execute(name, self._statements.rows(name, len(rows)), parameters)

    def _execute(self, name: str, statement: str, parameters: Parameters) -> sqlite3.Cursor:
        if self._before is not None:
            self._before(name)
        self._counters.statements += 1
        return self._connection.execute(statement, parameters)


def chunks(rows: Sequence[Sequence[Json]]) -> list[Sequence[Sequence[Json]]]:
    """`rows` in pieces of the sizes that have a prepared statement."""
    pieces: list[Sequence[Sequence[Json]]] = []
    start = 0
    for size in ROWS_PER_STATEMENT:
        while len(rows) - start >= size:
            pieces.append(rows[start : start + size])
            start += size
    return pieces
