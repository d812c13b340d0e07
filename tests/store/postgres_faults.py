"""What the tests of faults over PostgreSQL share: stores whose statements can be watched, and sessions that end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from penstock.store.postgres import PostgresStore
from penstock.store.rows import CommitOutcome, Committed
from tests.postgres_fixtures import without_schema
from tests.store.samples import held_by


class At:
    """Awaits `act` before the n-th statement, or the first one of a name, once it is armed; and remembers names."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._at: int | str = 0
        self._act: Callable[[], Awaitable[object]] | None = None

    def arm(self, at: int | str, act: Callable[[], Awaitable[object]]) -> None:
        self.names, self._at, self._act = [], at, act

    async def __call__(self, name: str) -> None:
        self.names.append(name)
        if self._act is not None and self._at in {len(self.names), name}:
            act, self._act = self._act, None
            await act()


@asynccontextmanager
async def opened(url: str, before: Callable[[str], Awaitable[None]] | None = None) -> AsyncIterator[PostgresStore]:
    """A member that is alone, so that it holds everything."""
    store = PostgresStore(url, before_statement=before)
    await store.open()
    try:
        await held_by(store)
        yield store
    finally:
        await store.close()


async def terminate(url: str, pid: int) -> None:
    """Ends a session of the server, and returns when it has ended."""
    connection = await asyncpg.connect(without_schema(url))
    await connection.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await connection.close()


async def writing_pid(store: PostgresStore) -> int:
    assert store._writer is not None
    connection = store._writer._link._connection
    assert connection is not None
    return connection.get_server_pid()


def all_committed(outcomes: list[CommitOutcome]) -> bool:
    return all(isinstance(outcome, Committed) for outcome in outcomes)
