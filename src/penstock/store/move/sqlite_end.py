"""A SQLite database as either end of a move. Its lock is held meanwhile, so that no engine opens it."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from penstock.errors import Conflict, NotFound
from penstock.model.limits import MOVE_PAGE_BYTES, MOVE_PAGE_ROWS
from penstock.store.marks import Mark, Unfinished
from penstock.store.move.tables import Carried, Kind, Row, Table
from penstock.store.sqlite.connection import connect_reader, connect_writer, failure, is_infrastructure, prepare_file
from penstock.store.sqlite.lock import FileLock
from penstock.store.sqlite.mark import mark_of, set_mark
from penstock.store.sqlite.migrate import load_migrations, migrate, schema_of
from penstock.store.statements import load_statements

_KINDS: Final = MappingProxyType[str, Kind]({"TEXT": "text", "INTEGER": "integer", "BLOB": "bytes"})

T = TypeVar("T")


class SqliteEnd:
    """A `Source` and a `Target`. Reads on a connection that cannot write until it is prepared as the target."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._lock = FileLock(self._path)
        self._connection: sqlite3.Connection | None = None
        self._statements = load_statements("penstock.store.move", "sqlite.sql")

    @property
    def place(self) -> str:
        return f"sqlite:{self._path}"

    @property
    def holds_nul(self) -> bool:
        return True

    async def open_source(self) -> None:
        """Raises `NotFound` without a database, `StoreInUse` while an engine has it, `Conflict` for an old schema."""
        if not self._path.is_file():
            raise NotFound(f"there is no database {self._path}")
        schema = await self._open()
        if schema < len(load_migrations()):
            raise Conflict(f"{self.place} has an old schema; first 'penstock migrate --store {self.place}'")

    async def open_target(self) -> None:
        """Raises `StoreInUse` while an engine has it; a database that does not exist is not made yet."""
        if self._path.exists():
            await self._open()

    async def close(self) -> None:
        if self._connection is not None:
            await asyncio.to_thread(self._connection.close)
            self._connection = None
        self._lock.release()

    async def mark(self) -> Mark | None:
        return await self._do(mark_of) if self._connection is not None else None

    async def set_mark(self, mark: Mark | None) -> None:
        def write(_: sqlite3.Connection) -> None:
            with closing(connect_writer(self._path)) as connection:
                set_mark(connection, mark)

        await self._do(write)

    async def tables(self) -> Mapping[str, Table]:
        if self._connection is None:
            return {}
        return await self._do(self._look)

    async def page(self, table: Carried, columns: Sequence[str], after: Row | None) -> list[Row]:
        return await self._do(lambda connection: _page(connection, table, columns, after))

    async def last_number(self, table: Carried) -> int:
        return await self._do(lambda c: c.execute(self._statements["last_number"], (table.name,)).fetchone()[0])

    async def routed_until(self) -> int:
        return await self._do(lambda c: c.execute(self._statements["routed_until"]).fetchone()[0])

    async def prepare(self, mark: Unfinished) -> None:
        def begin() -> sqlite3.Connection:
            if self._connection is None:
                prepare_file(self._path)
                self._lock.acquire()
            else:
                self._connection.close()
            connection = connect_writer(self._path)
            migrate(connection, load_migrations(), self.place, moving=True)
            set_mark(connection, mark)
            return connection

        self._connection = await asyncio.to_thread(self._failing, begin)

    async def is_empty(self, tables: Sequence[str]) -> bool:
        def look(connection: sqlite3.Connection) -> bool:
            selects = (f"SELECT 1 FROM {_name(table)} LIMIT 1" for table in tables)  # noqa: S608 - from the catalog
            return all(connection.execute(select).fetchone() is None for select in selects)

        return await self._do(look)

    async def write(self, table: Carried, rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(table.all_columns))
        insert = f"INSERT INTO {_name(table.name)} ({_names(table.all_columns)}) VALUES ({places})"  # noqa: S608 - same

        def insert_all(connection: sqlite3.Connection) -> None:
            for row in rows:
                try:
                    connection.execute(insert, row)
                except (sqlite3.Error, OverflowError) as error:
                    if is_infrastructure(error):
                        raise
                    raise Conflict(f"{table.name_row(table.key_of(row))}: SQLite cannot hold it: {error}") from error

        await self._transact(insert_all)

    async def delete_after(self, table: Carried, after: Row | None) -> None:
        delete = f"DELETE FROM {_name(table.name)}{_above(table, after)}"  # noqa: S608 - from the catalog
        await self._transact(lambda connection: connection.execute(delete, after or ()))

    async def number_after(self, table: Carried, last: int) -> None:
        def change(connection: sqlite3.Connection) -> None:
            connection.execute(self._statements["forget_number"], (table.name,))
            connection.execute(self._statements["number_after"], (table.name, last))

        await self._transact(change)

    async def route_after(self, seq: int) -> None:
        await self._transact(lambda connection: connection.execute(self._statements["route_after"], (seq,)))

    async def settle(self) -> None:
        await self._do(lambda connection: connection.execute("PRAGMA optimize"))

    async def _open(self) -> int:
        """Takes the lock and connects; returns the schema."""

        def begin() -> int:
            self._lock.acquire()
            self._connection = connect_reader(self._path)
            return schema_of(self._connection, len(load_migrations()), self.place)

        return await asyncio.to_thread(self._failing, begin)

    def _look(self, connection: sqlite3.Connection) -> dict[str, Table]:
        found = connection.execute(self._statements["tables"]).fetchall()
        return {name: self._look_at(connection, name, numbered=bool(numbered)) for name, numbered in found}

    def _look_at(self, connection: sqlite3.Connection, name: str, *, numbered: bool) -> Table:
        columns = connection.execute(self._statements["columns"], (name,)).fetchall()
        key = [column for _, column in sorted((pk, column) for column, _, pk in columns if pk)]
        if not key:
            key = [row[0] for row in connection.execute(self._statements["unique_key"], (name,))]
        kinds: dict[str, Kind] = {column: _KINDS.get(type_, "other") for column, type_, _ in columns}
        return Table(name, kinds, tuple(key), key[0] if numbered else None)

    async def _transact(self, write: Callable[[sqlite3.Connection], object]) -> None:
        def all_of_it(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                write(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

        await self._do(all_of_it)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        assert connection is not None, "the database is not open"
        return await asyncio.to_thread(self._failing, lambda: work(connection))

    def _failing(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise failure(error, self.place) from error


def _page(connection: sqlite3.Connection, table: Carried, columns: Sequence[str], after: Row | None) -> list[Row]:
    """Rows are fetched as they are stepped over, so that a page of large ones ends early."""
    select = (
        f"SELECT {_names(columns)} FROM {_name(table.name)}{_above(table, after)} "  # noqa: S608 - from the catalog
        f"ORDER BY {_names(table.key)} LIMIT {MOVE_PAGE_ROWS}"
    )
    rows: list[Row] = []
    size = 0
    with closing(connection.execute(select, after or ())) as cursor:
        for row in cursor:
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, bytes | str))
            if size >= MOVE_PAGE_BYTES:
                break
    return rows


def _above(table: Carried, after: Row | None) -> str:
    return f" WHERE ({_names(table.key)}) > ({', '.join('?' * len(table.key))})" if after else ""


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(_name, columns))


def _name(name: str) -> str:
    """A name from the catalog, as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'
