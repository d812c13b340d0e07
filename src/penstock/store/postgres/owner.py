"""One engine for each schema of a database: who may write, and how a late one is kept from it.

Two guards. A session-level advisory lock on a connection of its own says who is the owner; PostgreSQL gives it back
when that connection ends, so a crash frees it by itself. But an engine may learn late that its connection ended, so
each owner also takes the next *epoch*, and every transaction that writes checks it under a lock on its row: when an
engine takes over, the transactions of the former one have ended, and no other can begin to commit.
"""

from penstock.errors import InfrastructureError, StoreInUse
from penstock.store.counters import StoreCounters
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection, close_quietly, connect, patiently
from penstock.store.postgres.failures import is_lock_timeout
from penstock.store.postgres.session import Session
from penstock.store.statements import Statements


class Owner:
    """The lock and the epoch of one opened store."""

    def __init__(self, address: Address, statements: Statements, counters: StoreCounters) -> None:
        self._address = address
        self._statements = statements
        self._counters = counters
        self._connection: Connection | None = None
        self._epoch = 0
        self._superseded = False

    async def lock(self) -> Connection:
        """Takes the lock, or raises `StoreInUse`; returns its connection. What `claim` needs must exist after it."""
        self._connection = await self._locked()
        return self._connection

    async def claim(self) -> None:
        """Becomes the owner: whoever was it before can write nothing any more when this returns."""
        assert self._connection is not None
        try:
            self._epoch = await self._session(self._connection).value("take_ownership")
        except Exception as error:
            if is_lock_timeout(error):
                raise StoreInUse(f"{self._address.place}: the engine before still ends a transaction") from error
            raise

    async def keep(self) -> None:
        """Makes sure that the lock is held; to be called before each transaction.

        A lock that was lost is taken again if nobody else has owned the store meanwhile. Raises `StoreInUse`
        otherwise, then and for ever: what this engine knows of the runs may be out of date.
        """
        if self._superseded:
            raise self._error_superseded()
        if self._connection is not None and not self._connection.is_closed():
            return
        connection = await patiently(self._locked)
        try:
            self._judge(await self._session(connection).value("confirm_ownership"))
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def check(self, session: Session) -> None:
        """Inside a transaction: holds the epoch until its end. Raises `StoreInUse` if it is another's."""
        self._judge(await session.value("check_ownership"))

    async def release(self) -> None:
        """Gives the lock back; harmless when it is not held."""
        if self._connection is not None:
            await close_quietly(self._connection)
            self._connection = None

    @property
    def pid(self) -> int:
        """The server's process that holds the lock."""
        assert self._connection is not None
        return self._connection.get_server_pid()

    async def _locked(self) -> Connection:
        connection = await connect(self._address)
        try:
            await self._session(connection).fetch("take_lock", self._address.lock_key("owner"))
        except BaseException as error:
            holder = await self._holder(connection) if is_lock_timeout(error) else None
            connection.terminate()
            if holder is not None:
                raise StoreInUse(f"{self._address.place} is in use {holder}; one engine per schema") from error
            raise
        return connection

    async def _holder(self, connection: Connection) -> str:
        row = await self._session(connection).row("lock_holder", self._address.lock_key("owner"))
        return f"from {row[1]} (its PostgreSQL session is {row[0]})" if row else "by another engine"

    def _judge(self, epoch: int | None) -> None:
        if epoch != self._epoch:
            self._superseded = True
            raise self._error_superseded()

    def _error_superseded(self) -> InfrastructureError:
        return StoreInUse(f"another engine has taken {self._address.place} over; this one writes nothing any more")

    def _session(self, connection: Connection) -> Session:
        return Session(connection, self._statements, self._counters)
