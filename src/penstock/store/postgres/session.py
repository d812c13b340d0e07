"""A connection with the named statements: all SQL of the store is executed here."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.store.counters import StoreCounters
from penstock.store.partitions import partition_of
from penstock.store.postgres.connection import Connection
from penstock.store.statements import Statements

BeforeStatement = Callable[[str], Awaitable[None]]


class Session:
    """`before` is awaited with the name of every statement before it runs; what it raises is an error of that
    statement (tests inject faults by it). `held` are the partitions whose runs the transaction may move: what the
    fence said, without what the transaction itself releases."""

    def __init__(
        self,
        connection: Connection,
        statements: Statements,
        counters: StoreCounters,
        before: BeforeStatement | None = None,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._counters = counters
        self._before = before
        self.held: frozenset[int] = frozenset()

    def holds(self, run_id: str) -> bool:
        """Whether this transaction may move the run."""
        return partition_of(run_id) in self.held

    async def fetch(self, name: str, *parameters: Json) -> Sequence[Sequence[Json]]:
        """All rows of a named statement."""
        text = await self._next(name)
        return await self._connection.fetch(text, *parameters)

    async def row(self, name: str, *parameters: Json) -> Sequence[Json] | None:
        """The first row."""
        text = await self._next(name)
        return await self._connection.fetchrow(text, *parameters)

    async def value(self, name: str, *parameters: Json) -> Json:
        """The first column of the first row; None without one."""
        text = await self._next(name)
        return await self._connection.fetchval(text, *parameters)

    async def execute(self, name: str, *parameters: Json) -> int:
        """Runs a named statement; returns how many rows it changed."""
        text = await self._next(name)
        status = await self._connection.execute(text, *parameters)
        return int(status.rpartition(" ")[2])

    async def begin(self) -> None:
        await self._control("BEGIN")

    async def commit(self) -> None:
        """Raises `InfrastructureError` if the server rolled back instead, which it says without an error."""
        if (answer := await self._control("COMMIT")) != "COMMIT":
            raise InfrastructureError(f"PostgreSQL answered COMMIT by {answer}")

    async def rollback(self) -> None:
        await self._control("ROLLBACK")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None, None]:
        """Begins, and commits unless the body raises."""
        await self.begin()
        try:
            yield
        except Exception:
            if not self._connection.is_closed():
                await self.rollback()
            raise
        except BaseException:  # whoever gives up does not wait for an answer that may never come
            self._connection.terminate()
            raise
        await self.commit()

    async def savepoint(self) -> None:
        await self._control("SAVEPOINT part")

    async def undo(self) -> None:
        """Back to the last savepoint, which is gone then."""
        await self._control("ROLLBACK TO part")
        await self.release()

    async def release(self) -> None:
        """Forgets the last savepoint and keeps what came after it."""
        await self._control("RELEASE part")

    async def _control(self, statement: str) -> str:
        if self._before is not None:
            await self._before(statement)
        self._counters.statements += 1
        return await self._connection.execute(statement)

    async def _next(self, name: str) -> str:
        if self._before is not None:
            await self._before(name)
        self._counters.statements += 1
        return self._statements[name]


def columns(rows: Iterable[Sequence[Json]]) -> list[tuple[Json, ...]]:
    """Rows as the arrays that `unnest` takes: one for each column."""
    return list(zip(*rows, strict=True))
