"""Numbers of inbox rows as sequences of a shared database give them: taken before a transaction is written, so that one
which is written later may have lower ones."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from penstock.model.json_value import Json
from penstock.store.counters import StoreCounters
from penstock.store.sqlite.session import Session
from penstock.store.statements import Statements

_BLOCK: Final = 64


class NumberedSession(Session):
    """As its base until `number_from` is called; `looks` has the statement that inserts rows with their numbers."""

    def __init__(
        self, connection: sqlite3.Connection, statements: Statements, counters: StoreCounters, looks: Session
    ) -> None:
        super().__init__(connection, statements, counters)
        self._looks = looks
        self._free = 1
        self._first = 0
        self._left: list[int] = []

    def reserve(self) -> int:
        """The first number of a block for one transaction."""
        first, self._free = self._free, self._free + _BLOCK
        return first

    def number_from(self, first: int) -> None:
        """The next transaction takes the numbers of this block."""
        self._first = first

    def control(self, statement: str) -> None:
        if statement.startswith("BEGIN") and self._first:
            self._left = list(range(self._first, self._first + _BLOCK))
        super().control(statement)

    def number_rows(self, name: str, rows: Sequence[Sequence[Json]]) -> list[int]:
        if name != "insert_inbox" or not self._first:
            return super().number_rows(name, rows)
        while len(self._left) < len(rows):
            first = self.reserve()
            self._left += range(first, first + _BLOCK)
        numbers, self._left = self._left[: len(rows)], self._left[len(rows) :]
        self._looks.write_rows("insert_numbered", [(n, *row) for n, row in zip(numbers, rows, strict=True)])
        return numbers
