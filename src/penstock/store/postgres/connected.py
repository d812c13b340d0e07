"""The connections of a PostgreSQL store, and its part among other nodes: the half of the store that knows no rows.

Invariants: every write goes through the writer's queue, and its call returns only after the COMMIT; runs are moved only
by the member that holds their partition, and nobody else can commit a turn of theirs.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

from penstock.errors import InfrastructureError
from penstock.store.counters import StoreCounters, StoreStatistics
from penstock.store.notices import Heed, Notice, SharesChanged
from penstock.store.postgres import roll
from penstock.store.postgres.address import parse_address
from penstock.store.postgres.announce import notices_of
from penstock.store.postgres.failures import failure
from penstock.store.postgres.link import Link
from penstock.store.postgres.members import Members
from penstock.store.postgres.migrate import load_migrations, migrate
from penstock.store.postgres.readers import Readers
from penstock.store.postgres.session import BeforeStatement, Session
from penstock.store.postgres.steps import Announced, Step
from penstock.store.postgres.writer import Writer
from penstock.store.shares import Membership, NodeRow, Shares
from penstock.store.statements import load_statements

T = TypeVar("T")


class Connected:
    """Opens and closes; joins, renews, releases; reads and writes whatever function of a session it is given."""

    def __init__(self, url: str, *, before_statement: BeforeStatement | None = None) -> None:
        self._address = parse_address(url)
        self._place = self._address.place
        self._before_statement = before_statement
        self._migrations = load_migrations()
        self._statements = load_statements("penstock.store.postgres", "statements.sql")
        self._counters = StoreCounters()
        self._members = self._new_members()
        self._writer: Writer | None = None
        self._readers: Readers | None = None

    @property
    def exclusive(self) -> bool:
        return False

    async def open(self) -> None:
        if self._writer is not None:
            raise InfrastructureError(f"the database {self._place} is open already")
        self._members = self._new_members()
        try:
            await self._connect()
        except Exception as error:
            await self._members.close()
            raise failure(error, self._place) from error

    async def close(self) -> None:
        if self._writer is None or self._readers is None:
            return
        writer, readers = self._writer, self._readers
        self._writer = self._readers = None
        await writer.close()
        await readers.close()
        await self._members.close()

    def statistics(self) -> StoreStatistics:
        return self._counters.snapshot(self._writer.queue_length if self._writer else 0)

    # Nodes

    async def join(self, membership: Membership, heed: Heed) -> None:
        self._check_open()
        await self._members.join(membership, heed)

    async def renew(self) -> Shares:
        self._check_open()
        return await self._members.renew()

    async def release(self, partitions: Collection[int]) -> None:
        node = self._members.node
        await self._write(lambda s: roll.release(s, node, partitions), _moved)
        self._members.forget(partitions)

    async def nodes(self) -> list[NodeRow]:
        called = await self._read(roll.call_roll)
        return list(called.members)

    def tell(self, notice: Notice) -> None:
        self._members.tell(notice)

    # Connections

    async def _connect(self) -> None:
        """Brings the schema up to date, then makes what reads and writes."""
        connection = await self._members.open()
        session = Session(connection, self._statements, self._counters)
        await migrate(connection, session, self._address, self._migrations)
        readers = Readers(self._address, self._statements, self._counters)
        await readers.open()
        link = Link(self._address, self._members, self._statements, self._counters, self._before_statement)
        self._writer, self._readers = Writer(link, self._counters, self._place, self._written), readers

    def _new_members(self) -> Members:
        return Members(self._address, self._statements, self._counters, len(self._migrations))

    def _written(self, steps: Sequence[Step]) -> None:
        for notice in notices_of(steps, self._members.held):
            self._members.tell(notice)

    async def _write(
        self,
        apply: Callable[[Session], Awaitable[T]],
        announces: Callable[[T], Iterable[Announced]] | None = None,
    ) -> T:
        return await self._open_writer.write(apply, announces)

    async def _read(self, query: Callable[[Session], Awaitable[T]]) -> T:
        self._check_open()
        assert self._readers is not None
        return await self._readers.read(query)

    @property
    def _open_writer(self) -> Writer:
        self._check_open()
        assert self._writer is not None
        return self._writer

    def _check_open(self) -> None:
        if self._writer is None or self._readers is None:
            raise InfrastructureError(f"the database {self._place} is not open")


def _moved(count: int) -> Iterable[Announced]:
    return (SharesChanged(),) if count else ()
