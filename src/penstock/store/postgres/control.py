"""The connection beside those that write and read: by it the server knows that this store is open, and its node lives.

One thing is done on it at a time. It is made again when it was lost, at once and before each use; what was set up on
it is set up again then (`attach`). While it lasts it has a shared advisory lock, so that whoever needs the schema for
itself can tell that an engine is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from penstock.errors import StoreInUse
from penstock.model.limits import POSTGRES_CONNECT_MS
from penstock.store.counters import StoreCounters
from penstock.store.marks import refuse_marked
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection, close_quietly, connect, patiently
from penstock.store.postgres.failures import is_lock_timeout, is_lost
from penstock.store.postgres.mark import mark_of
from penstock.store.postgres.session import Session
from penstock.store.statements import Statements

T = TypeVar("T")
Attach = Callable[[Connection, Session], Awaitable[None]]


class Control:
    """Belongs to the event loop in which it is opened. `attach` is awaited with every connection but the first."""

    def __init__(self, address: Address, statements: Statements, counters: StoreCounters, attach: Attach) -> None:
        self._address = address
        self._statements = statements
        self._counters = counters
        self._attach = attach
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._again: asyncio.Task[None] | None = None
        self._closed = True

    async def open(self) -> Connection:
        """Connects for the first time. Raises `StoreInUse` if somebody has the schema for himself."""
        connection = await self._connected()
        self._closed = False
        self._take(connection)
        return connection

    async def close(self) -> None:
        """Ends the connection; harmless when there is none."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
        if self._connection is not None:
            await close_quietly(self._connection)
            self._connection = None

    @property
    def pid(self) -> int:
        """The server's process behind the connection."""
        assert self._connection is not None
        return self._connection.get_server_pid()

    async def keep(self) -> None:
        """Makes the connection again if it was lost. Raises what the driver raises, and `StoreInUse`."""
        if self._connection is None or self._connection.is_closed():
            async with self._lock:
                await self._usable()

    async def attach(self) -> None:
        """Sets the connection up, as will be done with those that follow it."""
        async with self._lock:
            connection = await self._usable()
            await self._attach(connection, self._session(connection))

    async def do(self, act: Callable[[Session], Awaitable[T]], patience_ms: int = POSTGRES_CONNECT_MS) -> T:
        """Does `act`, which may be repeated: once more, on a new connection, if this one is lost in it or answers
        nothing for `patience_ms`, as one does that was cut."""
        async with self._lock:
            try:
                return await self._attempt(act, patience_ms)
            except Exception as error:
                if self._closed or not (is_lost(error) or isinstance(error, TimeoutError)):
                    raise
            return await self._attempt(act, patience_ms)

    async def _attempt(self, act: Callable[[Session], Awaitable[T]], patience_ms: int) -> T:
        connection = await self._usable()
        try:
            async with asyncio.timeout(patience_ms / 1000):
                return await act(self._session(connection))
        except TimeoutError:
            connection.terminate()
            raise

    async def _usable(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await patiently(self._connected)
            try:
                await self._attach(connection, self._session(connection))
            except BaseException:
                connection.terminate()
                raise
            self._take(connection)
            return connection
        return self._connection

    async def _connected(self) -> Connection:
        connection = await connect(self._address)
        try:
            await self._session(connection).fetch("share_lock", self._address.lock_key("owner"))
            # Who was cut off while the system was moved away must not come back to it.
            refuse_marked(await mark_of(connection, self._address.schema), self._address.place)
        except BaseException as error:
            holder = await self._holder(connection) if is_lock_timeout(error) else None
            connection.terminate()
            if holder is not None:
                raise StoreInUse(f"{self._address.place} is in use {holder}, which has it for itself") from error
            raise
        return connection

    async def _holder(self, connection: Connection) -> str:
        row = await self._session(connection).row("lock_holder", self._address.lock_key("owner"))
        return f"from {row[1]} (its PostgreSQL session is {row[0]})" if row else "by somebody"

    def _take(self, connection: Connection) -> None:
        self._connection = connection
        connection.add_termination_listener(self._lost)

    def _lost(self, connection: Connection) -> None:
        """A lost connection is made again at once: others look at whether it is there."""
        if not self._closed and connection is self._connection and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._make_again(), name="penstock-store-control")

    async def _make_again(self) -> None:
        try:
            await self.keep()
        except Exception:  # whoever uses it next tries again, and tells what is wrong
            return

    def _session(self, connection: Connection) -> Session:
        return Session(connection, self._statements, self._counters)
