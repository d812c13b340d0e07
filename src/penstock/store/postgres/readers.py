"""Reads on connections of their own, so that they do not wait for writes."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it brings none

from penstock.model.limits import POSTGRES_READERS
from penstock.store.counters import StoreCounters
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection, options, patiently, prepare
from penstock.store.postgres.failures import blame, failure, is_culprit
from penstock.store.postgres.session import Session
from penstock.store.statements import Statements

T = TypeVar("T")


class _Pool(Protocol):
    """The part of the driver's pool that is used here."""

    def acquire(self) -> AbstractAsyncContextManager[Connection]: ...

    def terminate(self) -> None: ...


class Readers:
    """A bounded pool of connections; each is made when it is first needed, and again after it was lost."""

    def __init__(self, address: Address, statements: Statements, counters: StoreCounters) -> None:
        self._place = address.place
        self._statements = statements
        self._counters = counters
        pool: Any = cast("Any", asyncpg).create_pool(
            address.dsn,
            min_size=0,
            max_size=POSTGRES_READERS,
            init=prepare,
            reset=_leave_as_it_is,
            **options(address),
        )
        self._pool = cast("_Pool", pool)
        self._start: Awaitable[Any] = pool

    async def open(self) -> None:
        await self._start

    async def read(self, query: Callable[[Session], Awaitable[T]]) -> T:
        """The query's result, asked for again while the server cannot be reached. Raises `InfrastructureError`, or
        the caller's error if the query's parameters cannot occur in a database."""
        try:
            return await patiently(lambda: self._query(query))
        except Exception as error:
            raise (blame(error) if is_culprit(error) else failure(error, self._place)) from error

    async def close(self) -> None:
        """Ends the connections; reads under way fail."""
        self._pool.terminate()

    async def _query(self, query: Callable[[Session], Awaitable[T]]) -> T:
        async with self._pool.acquire() as connection:
            return await query(Session(connection, self._statements, self._counters))


async def _leave_as_it_is(connection: Connection) -> None:
    """Reads change nothing about a connection, so nothing is to be reset after each of them."""
