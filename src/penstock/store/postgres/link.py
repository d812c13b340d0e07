"""The one connection that writes, made again when it is lost."""

from penstock.store.counters import StoreCounters
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection, close_quietly, connect, patiently
from penstock.store.postgres.owner import Owner
from penstock.store.postgres.session import BeforeStatement, Session
from penstock.store.statements import Statements


class Link:
    """Gives the session of the next transaction."""

    def __init__(
        self,
        address: Address,
        owner: Owner,
        statements: Statements,
        counters: StoreCounters,
        before: BeforeStatement | None,
    ) -> None:
        self._address = address
        self._owner = owner
        self._statements = statements
        self._counters = counters
        self._before = before
        self._connection: Connection | None = None

    async def begin(self) -> Session:
        """A session in a new transaction that may write. Raises `StoreInUse` if another engine owns the store."""
        await self._owner.keep()
        if self._connection is None or self._connection.is_closed():
            self._connection = await patiently(lambda: connect(self._address))
        session = Session(self._connection, self._statements, self._counters, self._before)
        await session.begin()
        await self._owner.check(session)
        return session

    def drop(self) -> None:
        """Gives the connection up: the server rolls back what it was doing, unless it has committed it."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def settle(self) -> None:
        """After a COMMIT of unknown outcome: returns when that transaction has ended, so that whoever reads now sees
        what became of it. Gives up quietly while the server cannot be reached."""
        try:
            session = await self.begin()
            await session.value("confirm_ownership")
            await session.rollback()
        except Exception:  # the caller has an error to tell already; a later transaction is fenced anyway
            self.drop()

    async def close(self) -> None:
        if self._connection is not None:
            await close_quietly(self._connection)
            self._connection = None
