"""The one connection that writes, made again when it is lost."""

from penstock.model.limits import POSTGRES_IDLE_TRANSACTION_MS
from penstock.store.counters import StoreCounters
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection, close_quietly, connect, patiently
from penstock.store.postgres.members import Members
from penstock.store.postgres.roll import fence, session_name
from penstock.store.postgres.session import BeforeStatement, Session
from penstock.store.statements import Statements

_LOCK_WAIT_MS = POSTGRES_IDLE_TRANSACTION_MS + 1_000
"""A node that fell silent in its transaction keeps its locks for as long as that may last; others wait it out."""


class Link:
    """Gives the session of the next transaction."""

    def __init__(
        self,
        address: Address,
        members: Members,
        statements: Statements,
        counters: StoreCounters,
        before: BeforeStatement | None,
    ) -> None:
        self._address = address
        self._members = members
        self._statements = statements
        self._counters = counters
        self._before = before
        self._connection: Connection | None = None
        self._idle_ms = 0
        self._named = ""

    async def begin(self) -> Session:
        """A session in a new transaction, which knows what this node holds until it ends."""
        connection = await self._connected()
        session = Session(connection, self._statements, self._counters, self._before)
        await session.begin()
        if node := self._members.node:
            session.held = await fence(session, node)
        return session

    def drop(self) -> None:
        """Gives the connection up: the server rolls back what it was doing, unless it has committed it."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def settle(self) -> None:
        """After a COMMIT of unknown outcome: returns when that transaction has ended, so that whoever reads now sees
        what became of it. Gives up quietly while the server cannot be reached; does nothing for a store that has not
        joined, whose writes move no runs."""
        if not (node := self._members.node):
            return
        try:
            session = await self.begin()
            await session.value("await_node", node)
            await session.rollback()
        except Exception:  # the caller has an error to tell already; a later transaction is fenced anyway
            self.drop()

    async def close(self) -> None:
        if self._connection is not None:
            await close_quietly(self._connection)
            self._connection = None

    async def _connected(self) -> Connection:
        await self._members.keep()
        if self._connection is None or self._connection.is_closed():
            self._connection = await patiently(lambda: connect(self._address, _LOCK_WAIT_MS))
            self._idle_ms, self._named = POSTGRES_IDLE_TRANSACTION_MS, ""
        settings = Session(self._connection, self._statements, self._counters)
        if self._idle_ms != self._members.idle_ms:
            idle_ms = self._members.idle_ms
            await settings.value("limit_idle", str(idle_ms))
            self._idle_ms = idle_ms
        if (node := self._members.node) and node != self._named:
            await settings.value("name_session", session_name(node))
            self._named = node
        return self._connection
