"""A schema of a PostgreSQL database as either end of a move. One connection does everything and keeps others away; if
it is lost, the move has failed and is run again."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final, Protocol, cast

from penstock.errors import CallerError, Conflict, NotFound
from penstock.model.json_value import Json
from penstock.model.limits import MOVE_PAGE_BYTES, MOVE_PAGE_ROWS, MOVE_STATEMENT_MS
from penstock.store.counters import StoreCounters
from penstock.store.marks import Mark, Unfinished
from penstock.store.move.tables import Carried, Kind, Row, Table
from penstock.store.postgres.address import parse_address
from penstock.store.postgres.connection import Connection, close_quietly, connect
from penstock.store.postgres.exclusive import have_alone
from penstock.store.postgres.failures import failure, is_culprit, message_of
from penstock.store.postgres.mark import mark_of, set_mark
from penstock.store.postgres.migrate import load_migrations, migrate, schema_of
from penstock.store.postgres.session import Session
from penstock.store.statements import Statements, load_statements

_KINDS: Final = MappingProxyType[str, Kind](
    {
        "text": "text",
        "smallint": "integer",
        "integer": "integer",
        "bigint": "integer",
        "boolean": "boolean",
        "bytea": "bytes",
    }
)
_PATIENCE_S: Final = MOVE_STATEMENT_MS / 1000


class _Driver(Protocol):
    """What moving needs of the driver's connection beyond `Connection`."""

    async def fetch(self, query: str, *args: Json, timeout: float) -> Sequence[Sequence[Json]]: ...

    async def execute(self, query: str, *args: Json, timeout: float) -> str: ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Sequence[Row], columns: Sequence[str], schema_name: str, timeout: float
    ) -> str: ...


class PostgresEnd:
    """A `Source` and a `Target`."""

    def __init__(self, url: str) -> None:
        self._address = parse_address(url)
        self._connection: Connection | None = None
        self._statements = load_statements("penstock.store.move", "postgres.sql")
        self._booleans: dict[str, frozenset[str]] = {}

    @property
    def place(self) -> str:
        return self._address.place

    @property
    def holds_nul(self) -> bool:
        return False

    async def open_source(self) -> None:
        """Raises `NotFound` without a store, `StoreInUse` while an engine has it, `Conflict` for an old schema."""
        schema = await self._open()
        if schema == 0:
            raise NotFound(f"there is no store in {self.place}")
        if schema < len(load_migrations()):
            raise Conflict(f"{self.place} has an old schema; first 'penstock migrate --store {self.place}'")

    async def open_target(self) -> None:
        """Raises `StoreInUse` while an engine has it; a schema that does not exist is not made yet."""
        await self._open()

    async def close(self) -> None:
        if self._connection is not None:
            await close_quietly(self._connection)
            self._connection = None

    async def mark(self) -> Mark | None:
        async with self._failing():
            return await mark_of(self._open_connection, self._address.schema)

    async def set_mark(self, mark: Mark | None) -> None:
        async with self._failing():
            await set_mark(self._open_connection, mark)

    async def tables(self) -> Mapping[str, Table]:
        async with self._failing():
            session = self._session(self._statements)
            columns = await session.fetch("columns", self._address.schema)
            keys = await session.fetch("keys", self._address.schema)
        tables = {row[0]: self._table(row[0], columns, keys) for row in columns}
        self._booleans = {
            name: frozenset(column for column, kind in table.columns.items() if kind == "boolean")
            for name, table in tables.items()
        }
        return tables

    async def page(self, table: Carried, columns: Sequence[str], after: Row | None) -> list[Row]:
        async with self._failing():
            rows = await self._driver.fetch(_page(table, columns, after), *(after or ()), timeout=_PATIENCE_S)
        if booleans := self._booleans_among(table, columns):
            return [tuple(int(v) if at in booleans else v for at, v in enumerate(row)) for row in rows]
        return [tuple(row) for row in rows]

    async def last_number(self, table: Carried) -> int:
        async with self._failing():
            session = self._session(self._statements)
            return await session.value("last_number", self._address.schema, table.name, table.numbered)

    async def routed_until(self) -> int:
        async with self._failing():
            return await self._session(self._statements).value("routed_until")

    async def prepare(self, mark: Unfinished) -> None:
        async with self._failing():
            statements = load_statements("penstock.store.postgres", "statements.sql")
            session = self._session(statements)
            await migrate(self._open_connection, session, self._address, load_migrations(), moving=True)
            await set_mark(self._open_connection, mark)

    async def is_empty(self, tables: Sequence[str]) -> bool:
        async with self._failing():
            for table in tables:
                if await self._open_connection.fetchrow(f"SELECT 1 FROM {_name(table)} LIMIT 1"):  # noqa: S608 - catalog
                    return False
        return True

    async def write(self, table: Carried, rows: Sequence[Row]) -> None:
        booleans = self._booleans_among(table, table.all_columns)
        if booleans:
            rows = [tuple(bool(v) if at in booleans else v for at, v in enumerate(row)) for row in rows]
        async with self._failing():
            try:
                await self._copy(table, rows, keep=True)
            except Exception as error:
                if not is_culprit(error):
                    raise
                key, why = await self._culprit(table, rows)
                raise Conflict(f"{table.name_row(key)}: PostgreSQL cannot hold it: {why}") from error

    async def delete_after(self, table: Carried, after: Row | None) -> None:
        delete = f"DELETE FROM {_name(table.name)}{_above(table, after)}"  # noqa: S608 - names from the catalog
        async with self._failing():
            await self._driver.execute(delete, *(after or ()), timeout=_PATIENCE_S)

    async def number_after(self, table: Carried, last: int) -> None:
        async with self._failing():
            session = self._session(self._statements)
            await session.value("number_after", self._address.schema, table.name, table.numbered, last)

    async def route_after(self, seq: int) -> None:
        async with self._failing():
            await self._session(self._statements).execute("route_after", seq)

    async def settle(self) -> None:
        """Without its statistics the first statements over the new tables would be planned badly."""
        async with self._failing():
            for name in self._booleans:
                await self._driver.execute(f"ANALYZE {_name(name)}", timeout=_PATIENCE_S)

    async def _open(self) -> int:
        """Connects and keeps others away; returns the schema's number."""
        try:
            self._connection = await connect(self._address)
        except Exception as error:
            raise failure(error, self.place) from error
        async with self._failing():
            session = self._session(load_statements("penstock.store.postgres", "statements.sql"))
            await have_alone(self._open_connection, session, self._address)
            return await schema_of(session, self._address, len(load_migrations()))

    def _table(self, name: str, columns: Sequence[Sequence[str]], keys: Sequence[Sequence[str]]) -> Table:
        own = [row for row in columns if row[0] == name]
        kinds: dict[str, Kind] = {row[1]: _KINDS.get(row[2], "other") for row in own}
        numbered = next((row[1] for row in own if row[3]), None)
        return Table(name, kinds, tuple(row[1] for row in keys if row[0] == name), numbered)

    def _booleans_among(self, table: Carried, columns: Sequence[str]) -> frozenset[int]:
        """Positions of the columns that are boolean here."""
        booleans = self._booleans[table.name]
        return frozenset(at for at, name in enumerate(columns) if name in booleans)

    async def _copy(self, table: Carried, rows: Sequence[Row], *, keep: bool) -> None:
        """COPY in a transaction, which also takes the numbers of numbered columns as they are given."""
        connection = self._open_connection
        await connection.execute("BEGIN")
        try:
            await self._driver.copy_records_to_table(
                table.name,
                records=rows,
                columns=table.all_columns,
                schema_name=self._address.schema,
                timeout=_PATIENCE_S,
            )
            await connection.execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise

    async def _culprit(self, table: Carried, rows: Sequence[Row]) -> tuple[Row, str]:
        """The key of the first row that PostgreSQL refuses among rows that it refused, by halves; and what it says."""
        why = ""
        while True:
            half = rows[: max(1, len(rows) // 2)]
            try:
                await self._copy(table, half, keep=False)
            except Exception as error:
                if not is_culprit(error):
                    raise
                why = message_of(error)
                if len(half) == 1:
                    return table.key_of(half[0]), why
                rows = half
            else:
                rows = rows[len(half) :]
                assert rows, "all rows were refused together, and none of them alone"

    @asynccontextmanager
    async def _failing(self) -> AsyncGenerator[None]:
        """What goes wrong with the database is an `InfrastructureError`."""
        try:
            yield
        except CallerError:
            raise
        except Exception as error:
            raise failure(error, self.place) from error

    def _session(self, statements: Statements) -> Session:
        return Session(self._open_connection, statements, StoreCounters())

    @property
    def _driver(self) -> _Driver:
        return cast("_Driver", self._open_connection)

    @property
    def _open_connection(self) -> Connection:
        assert self._connection is not None, "the database is not open"
        return self._connection


def _page(table: Carried, columns: Sequence[str], after: Row | None) -> str:
    """Rows up to the one that reaches `MOVE_PAGE_BYTES`. PostgreSQL knows the length of a large value without it."""
    names, key = _names(columns), _names(table.key)
    size = " + ".join(f"coalesce(octet_length({_name(name)}), 0)" for name in table.sized) or "0"
    return (
        f"SELECT {names} FROM ("  # noqa: S608 - names from the catalog
        f"SELECT {names}, sum(size) OVER (ORDER BY {key} ROWS UNBOUNDED PRECEDING) - size AS before FROM ("
        f"SELECT {names}, {size} AS size FROM {_name(table.name)}{_above(table, after)} "
        f"ORDER BY {key} LIMIT {MOVE_PAGE_ROWS}) AS few) AS measured "
        f"WHERE before < {MOVE_PAGE_BYTES} ORDER BY {key}"
    )


def _above(table: Carried, after: Row | None) -> str:
    places = ", ".join(f"${at}" for at in range(1, len(table.key) + 1))
    return f" WHERE ({_names(table.key)}) > ({places})" if after else ""


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(_name, columns))


def _name(name: str) -> str:
    """A name from the catalog, as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'
