"""This store as a member among those of other nodes: its lease, its partitions, and what members tell each other.

What is held is the database's word, at every transaction (`fence`); `held` here is what it said last, for reads that
look only for what this node can use.
"""

import secrets
from collections.abc import Collection
from typing import Final

from penstock.errors import CallerError, InfrastructureError
from penstock.model.limits import (
    MAX_NAME_CHARACTERS,
    MAX_NODES,
    MIN_NODE_LEASE_MS,
    POSTGRES_IDLE_TRANSACTION_MS,
    POSTGRES_LOCK_WAIT_MS,
)
from penstock.store.counters import StoreCounters
from penstock.store.migrations import check_known
from penstock.store.notices import (
    EventsCame,
    Heed,
    InboxFilled,
    Notice,
    RegistryChanged,
    SharesChanged,
    WorkOffered,
)
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection
from penstock.store.postgres.control import Control
from penstock.store.postgres.failures import failure, is_lock_timeout
from penstock.store.postgres.roll import Roll, call_roll, end_sessions, expel, session_name
from penstock.store.postgres.session import Session
from penstock.store.postgres.teller import Teller, read_notice
from penstock.store.shares import Membership, Shares
from penstock.store.statements import Statements

_MISSED: Final[tuple[Notice, ...]] = (
    InboxFilled(),
    EventsCame(),
    SharesChanged(),
    RegistryChanged("tools"),
    RegistryChanged("secrets"),
    RegistryChanged("tokens"),
    WorkOffered(),
)
"""What may have been told while nobody listened."""


class Members:
    """`node` is the id under which this store is a member, "" for one that has not joined; `newest` the newest schema
    that it knows."""

    def __init__(self, address: Address, statements: Statements, counters: StoreCounters, newest: int) -> None:
        self._address = address
        self._newest = newest
        # Of the same length for every schema: names of channels are cut, and ours must not be another's.
        self._channel = f"penstock_{address.lock_key('notices') & 0xFFFF_FFFF_FFFF_FFFF:016x}"
        self._membership_lock = address.lock_key("members")
        self._control = Control(address, statements, counters, self._attach)
        self._teller: Teller | None = None
        self._membership: Membership | None = None
        self._heed: Heed | None = None
        self._session_key = 0
        self._released: set[int] = set()
        self._alone = False
        self.node = ""
        self.held: frozenset[int] = frozenset()

    @property
    def pid(self) -> int:
        """The server's process by which this node lives."""
        return self._control.pid

    @property
    def idle_ms(self) -> int:
        """How long a silent transaction of this node may last."""
        lease_ms = self._membership.lease_ms if self._membership else POSTGRES_IDLE_TRANSACTION_MS
        return min(POSTGRES_IDLE_TRANSACTION_MS, lease_ms)

    async def open(self) -> Connection:
        """Connects; returns the connection for what has to be done before anybody uses it."""
        connection = await self._control.open()
        self._teller = Teller(self._say)
        return connection

    async def keep(self) -> None:
        """To be called before each transaction: the connection by which this node lives is there."""
        await self._control.keep()

    async def join(self, membership: Membership, heed: Heed) -> None:
        if membership.lease_ms < MIN_NODE_LEASE_MS:
            raise CallerError(f"the lease of a node is {MIN_NODE_LEASE_MS} ms at least")
        if self._membership is not None:
            raise InfrastructureError("this store has joined already")
        self._membership, self._heed = membership, heed
        try:
            await self._control.attach()
            await self._control.do(lambda session: self._enter(session, membership))
        except Exception as error:
            self._membership = self._heed = None
            raise failure(error, self._address.place) from error

    async def renew(self) -> Shares:
        if (membership := self._membership) is None:
            raise InfrastructureError("this store has not joined")
        self._released.clear()
        try:
            # A quarter of the lease, so that there is time for another attempt before it is over.
            patience_ms = max(2 * POSTGRES_LOCK_WAIT_MS, membership.lease_ms // 4)
            return await self._control.do(lambda session: self._renew(session, membership), patience_ms)
        except Exception as error:
            raise failure(error, self._address.place) from error

    def forget(self, partitions: Collection[int]) -> None:
        """These were given away."""
        self._released.update(partitions)
        self.held = self.held.difference(partitions)

    def tell(self, notice: Notice) -> None:
        # Who comes later reads the events anyway, and a store that is alone would tell nobody at every commit.
        if self._teller is not None and not (self._alone and isinstance(notice, EventsCame)):
            self._teller.tell(notice)

    async def close(self) -> None:
        """Leaves the others, with everything that is held, and ends the connection. Harmless when not open."""
        teller, self._teller = self._teller, None
        node, self.node, self.held = self.node, "", frozenset[int]()
        self._membership = self._heed = None
        if teller is not None:
            if node and await self._leave(node):
                teller.tell(SharesChanged())
            await teller.close()
        await self._control.close()

    async def _leave(self, node: str) -> bool:
        try:
            return await self._control.do(lambda session: session.execute("delete_node", node)) == 1
        except Exception:  # the others notice by themselves that it is gone
            return False

    async def _enter(self, session: Session, membership: Membership) -> None:
        """Becomes a member under a new id, without partitions."""
        await self._check_schema(session)
        self.held = frozenset()
        async with session.transaction():
            await session.value("lock_members", self._membership_lock)
            roll = await self._expel(session)
            if membership.engine and sum(member.engine for member in roll.members) >= MAX_NODES:
                raise InfrastructureError(f"{self._address.place} is shared by {MAX_NODES} engines already")
            row = (membership.name[:MAX_NAME_CHARACTERS], membership.engine, self._session_key, membership.lease_ms)
            node = await session.value("insert_node", *row)
            await session.value("name_session", session_name(node))
        self.node, self._alone = node, False
        self.tell(SharesChanged())

    async def _renew(self, session: Session, membership: Membership) -> Shares:
        await self._check_schema(session)
        if await session.execute("renew_node", self.node, membership.lease_ms):
            roll = await call_roll(session)
            due = roll.settle(self.node)
            if due.expel or due.take:
                roll = await self._carry_out(session, roll)
            mine = roll.of(self.node)
            self.held = mine.partitions - self._released if mine else frozenset()
        else:
            await self._enter(session, membership)
            roll = await call_roll(session)
        self._alone = len(roll.members) == 1
        due = roll.settle(self.node)
        return Shares(node=self.node, held=self.held, surplus=due.surplus & self.held, engines=due.engines)

    async def _carry_out(self, session: Session, seen: Roll) -> Roll:
        """Expels and takes, one member of all at a time; returns what it is like then."""
        try:
            async with session.transaction():
                await session.value("lock_members", self._membership_lock)
                roll = await self._expel(session)
                if take := roll.settle(self.node).take:
                    await session.execute("take_partitions", self.node, sorted(take))
                roll = await call_roll(session)
        except Exception as error:
            if is_lock_timeout(error):  # somebody else is at it, or fell silent in it: next time
                await end_sessions(session, seen.settle(self.node).expel, self.idle_ms)
                return seen
            raise
        await end_sessions(session, roll.settle(self.node).expel, self.idle_ms)
        if {member.id for member in seen.members} != {member.id for member in roll.members}:
            self.tell(SharesChanged())
        return roll

    async def _expel(self, session: Session) -> Roll:
        """Expels who is gone; returns who is left."""
        roll = await call_roll(session)
        if await expel(session, roll, roll.settle(self.node).expel):
            return await call_roll(session)
        return roll

    async def _check_schema(self, session: Session) -> None:
        """A newer Penstock may have migrated the schema since this one opened it."""
        check_known(await session.value("last_migration"), self._newest, self._address.place)

    async def _attach(self, connection: Connection, session: Session) -> None:
        """What makes a new connection that of a member: its lock, and its ear."""
        if self._heed is None:
            return
        # A lock of its own each time: that of a connection which was cut may be held by the server for a while.
        key = secrets.randbits(63)
        await session.value("take_lock", key)
        await session.value("limit_idle", str(self.idle_ms))
        await connection.add_listener(self._channel, self._heard)
        self._session_key = key
        if self.node:
            await session.value("name_session", session_name(self.node))
            await session.execute("attach_node", self.node, key)
            for notice in _MISSED:
                self._heed(notice)

    def _heard(self, connection: Connection, pid: int, channel: str, payload: str) -> None:
        notice = read_notice(payload)
        if self._heed is None or notice is None or pid == connection.get_server_pid():
            return
        self._alone = False
        self._heed(notice)

    async def _say(self, payloads: list[str]) -> None:
        await self._control.do(lambda session: session.fetch("tell", self._channel, payloads))
