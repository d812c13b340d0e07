"""A store that several simulated engines share, as they share a PostgreSQL schema: each has its own `SharedStore` over
one `SimulatedDisk`. Who is no member, or does not hold the partition of a run, writes no turn of it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol

from penstock.errors import InfrastructureError
from penstock.store.counters import StoreCounters
from penstock.store.notices import (
    EventsCame,
    Heed,
    InboxFilled,
    Notice,
    RegistryChanged,
    RunsDue,
    SharesChanged,
    WorkOffered,
)
from penstock.store.partitions import partition_of
from penstock.store.rows import (
    ApiToken,
    CommitOutcome,
    Committed,
    Delivery,
    EventRow,
    InboxRow,
    NotOwned,
    RunCommit,
    StartKey,
    Subscription,
    Tool,
    WorkRow,
)
from penstock.store.shares import Membership, NodeRow, Shares
from penstock.store.sqlite import events, reads
from penstock.store.sqlite.mapping import as_json
from penstock.store.sqlite.session import Session
from penstock.store.sqlite.work import push_due
from penstock.store.sqlite.writer import TurnWork, Work
from penstock.testing.members import Members
from penstock.testing.network import Ear, Network
from penstock.testing.store import (
    PLACE,
    Faults,
    SimulatedDisk,
    SimulatedReaders,
    SimulatedStore,
    SimulatedWriter,
    Witness,
)

_ALL: Final = 1_000_000


class Link(Faults, Protocol):
    """What may go wrong between a node and the disk."""

    @property
    def reached(self) -> bool:
        """Whether node and disk can talk to each other now."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the disk takes the node for being there; it may not notice at once that it is not."""
        ...

    def when_mended(self, act: Callable[[], None]) -> None:
        """`act` is called whenever both can talk again."""
        ...


class SharedStore(SimulatedStore):
    """A `Store`; any number of them are open over one disk. `now` is the disk's clock."""

    def __init__(
        self, disk: SimulatedDisk, link: Link, witness: Witness, network: Network, now: Callable[[], int]
    ) -> None:
        super().__init__(disk, link, witness)
        self._link = link
        self._network = network
        self._now = now
        self._members: Members = disk.members
        self._membership: Membership | None = None
        self._ear: Ear | None = None
        self._released: set[int] = set()
        self.node = ""
        self.held: frozenset[int] = frozenset()

    @property
    def exclusive(self) -> bool:
        return False

    async def open(self) -> None:
        if self._writer is not None:
            raise InfrastructureError(f"the database {PLACE} is open already")
        await self._link.around_read()
        disk = self._disk
        self._session = disk.session
        self._writer = SharedWriter(disk, disk.counters, self._link, self._witness, lambda: self.node)
        self._readers = SimulatedReaders(disk.session, self._link)

    async def close(self) -> None:
        if self._writer is None:
            return
        await self._writer.close()
        self._writer = self._readers = None
        if self._link.reached and self.node:
            self._members.leave(self.node)
            self.tell(SharesChanged())
        if self._ear is not None:
            self._network.leave(self._ear)

    # Nodes

    async def join(self, membership: Membership, heed: Heed) -> None:
        await self._link.around_read()
        self._membership = membership
        self._ear = self._network.listen(heed, lambda: self._link.reached)
        self._link.when_mended(lambda: self._network.missed(self._ear) if self._ear else None)
        self._enter(membership)
        await self._link.around_read()

    async def renew(self) -> Shares:
        membership = self._membership
        if membership is None:
            raise InfrastructureError("this store has not joined")
        self._released.clear()
        await self._link.around_read()
        if not self._members.renew(self.node, self._now()):
            self._enter(membership)
        before = len(self._members.rows())
        due = self._members.carry_out(self.node, self._now())
        node, held = self.node, self._members.held(self.node)
        if len(self._members.rows()) != before:
            self.tell(SharesChanged())
        await self._link.around_read()
        self.held = held - self._released
        return Shares(node=node, held=self.held, surplus=due.surplus & self.held, engines=due.engines)

    async def release(self, partitions: Collection[int]) -> None:
        node = self.node
        if await self._write(Release(lambda: self._members.release(node, partitions))):
            self.tell(SharesChanged())
        self._released.update(partitions)
        self.held = self.held.difference(partitions)

    async def nodes(self) -> list[NodeRow]:
        return await self._read(lambda _: self._members.rows())

    def tell(self, notice: Notice) -> None:
        if self._ear is not None:
            self._network.tell(self._ear, notice)

    def _enter(self, membership: Membership) -> None:
        self.held = frozenset()
        self.node = self._members.enter(membership, lambda: self._link.connected, self._now())
        self.tell(SharesChanged())

    # Turns

    async def commit(self, turns: Sequence[RunCommit], start_keys: Sequence[StartKey] = ()) -> list[CommitOutcome]:
        outcomes = await super().commit(turns, start_keys)
        for turn, outcome in zip(turns, outcomes, strict=True):
            if isinstance(outcome, Committed):
                self._tell_of(outcome.inbox)
                if outcome.events:
                    self.tell(EventsCame())
                if turn.unowned:
                    self.tell(RunsDue((turn.run.id,)))
                if tools := tuple(dict.fromkeys(offer.tool for offer in turn.offers if offer.kind == "pull")):
                    self.tell(WorkOffered(tools))
        return outcomes

    def _tell_of(self, rows: Sequence[InboxRow]) -> None:
        if elsewhere := tuple(row.seq for row in rows if not self._mine(row.run_id)):
            self.tell(InboxFilled(elsewhere))

    def _mine(self, run_id: str) -> bool:
        return partition_of(run_id) in self.held

    async def due_runs(self, until: int, limit: int) -> list[tuple[str, int]]:
        return await self._read(lambda s: [row for row in reads.due_runs(s, until, _ALL) if self._mine(row[0])][:limit])

    async def next_due_at(self, after: int) -> int | None:
        rows = await self._read(lambda s: reads.due_runs(s, 1 << 60, _ALL))
        return min((at for run_id, at in rows if at > after and self._mine(run_id)), default=None)

    async def calling_runs(self, after: str, limit: int, partitions: Collection[int] | None = None) -> list[str]:
        def query(session: Session) -> list[str]:
            among = self.held if partitions is None else partitions
            return [run_id for run_id in reads.calling_runs(session, after, _ALL) if partition_of(run_id) in among]

        return (await self._read(query))[:limit]

    async def inbox(self, after: int, limit: int) -> list[InboxRow]:
        return await self._read(
            lambda s: [row for row in reads.inbox(s, after, _ALL) if self._mine(row.run_id)][:limit]
        )

    async def discard_inbox(self, seqs: Sequence[int]) -> int:
        def apply(session: Session) -> int:
            held = self._members.held(self.node)
            mine = [row.seq for row in reads.inbox_rows(session, seqs) if partition_of(row.run_id) in held]
            return session.execute("delete_inbox", (as_json(mine),)).rowcount

        return await self._write(apply)

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
        rows = await super().send(messages)
        self._tell_of(rows)
        return rows

    # Events

    async def put_events(self, new: Sequence[EventRow]) -> list[EventRow | None]:
        rows = await super().put_events(new)
        if any(rows):
            self.tell(EventsCame())
        return rows

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[InboxRow]:
        def apply(session: Session) -> list[InboxRow]:
            rows = events.deliver(session, self._deliverable(deliveries))
            self._witness.delivered(self.node, [row.run_id for row in rows])
            return rows

        return await self._write(apply)

    def _deliverable(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        held = self._members.held(self.node)
        return [delivery for delivery in deliveries if partition_of(delivery.run_id) in held]

    async def routed_until(self) -> int:
        def query(session: Session) -> int:
            cursors = [self._members.routed[partition] for partition in self.held]
            return (
                min(cursors) if cursors else max((row.seq for row in reads.events_after(session, 0, _ALL)), default=0)
            )

        return await self._read(query)

    async def keep_routed(self, seq: int, partitions: Collection[int] | None = None) -> None:
        def apply(session: Session) -> None:
            held, routed = self._members.held(self.node), self._members.routed
            for partition in held if partitions is None else held.intersection(partitions):
                routed[partition] = max(routed[partition], seq)
            events.keep_routed(session, min(routed))  # up to there an event may be deleted

        await self._write(apply)

    async def subscriptions(self, lookups: Sequence[tuple[str, str]]) -> list[Subscription]:
        return await self._read(lambda s: [row for row in reads.subscriptions(s, lookups) if self._mine(row.run_id)])

    # Work

    async def return_work(self, call_id: str, tool: str, token: int, *, due_at: int | None = None) -> bool:
        done = await super().return_work(call_id, tool, token, due_at=due_at)
        if done:
            self.tell(WorkOffered((tool,)))
        return done

    async def redeliver(self, *, tool: str, call_id: str | None = None) -> int:
        count = await super().redeliver(tool=tool, call_id=call_id)
        if count:
            self.tell(WorkOffered((tool,)))
        return count

    async def push_due(self, until: int, limit: int) -> list[WorkRow]:
        return await self._read(lambda s: [row for row in push_due(s, until, _ALL) if self._mine(row.run_id)][:limit])

    async def next_push_at(self) -> int | None:
        rows = await self.push_due(1 << 60, 1)
        return rows[0].due_at if rows else None

    # Tools and secrets

    async def put_tool(self, tool: Tool) -> None:
        await super().put_tool(tool)
        self.tell(RegistryChanged("tools"))

    async def delete_tool(self, name: str) -> bool:
        gone = await super().delete_tool(name)
        self.tell(RegistryChanged("tools"))
        return gone

    async def put_secret(self, name: str, sealed: bytes) -> None:
        await super().put_secret(name, sealed)
        self.tell(RegistryChanged("secrets"))

    async def delete_secret(self, name: str) -> bool:
        gone = await super().delete_secret(name)
        self.tell(RegistryChanged("secrets"))
        return gone

    async def put_token(self, token: ApiToken) -> None:
        await super().put_token(token)
        self.tell(RegistryChanged("tokens"))

    async def delete_token(self, token_id: str) -> bool:
        gone = await super().delete_token(token_id)
        self.tell(RegistryChanged("tokens"))
        return gone


class Release:
    """Gives partitions away; what is written behind it is written when they are gone."""

    def __init__(self, release: Callable[[], int]) -> None:
        self._release = release

    def __call__(self, session: Session) -> int:
        return self._release()


class SharedWriter(SimulatedWriter):
    """The writer of one node. Numbers of inbox rows are taken when a transaction begins, as sequences give them: one
    that commits later may have lower ones."""

    def __init__(
        self, disk: SimulatedDisk, counters: StoreCounters, link: Link, witness: Witness, node: Callable[[], str]
    ) -> None:
        self._disk = disk
        self._node = node
        self._numbers = 0
        super().__init__(disk.session, counters, link, witness)

    def _next(self) -> list[Work]:
        """A release is a transaction of its own, so that every turn in another is judged by what is held then."""
        batch = super()._next()
        for place, work in enumerate(batch):
            if isinstance(work.apply, Release):
                end = max(1, place)
                self._waiting.extendleft(reversed(batch[end:]))
                return batch[:end]
        return batch

    async def _write_batch(self, batch: list[Work]) -> None:
        self._numbers = self._disk.session.reserve()
        await super()._write_batch(batch)

    def _write_now(self, batch: list[Work]) -> None:
        self._disk.session.number_from(self._numbers)
        super()._write_now(batch)

    def _member(self) -> str:
        return self._node()

    def _commit(self, batch: list[Work]) -> None:
        """Each transaction begins with the fence: what this node holds, until it ends."""
        held = self._disk.members.held(self._node())
        fenced = [_fenced(work, held) if isinstance(work, TurnWork) else work for work in batch]
        super()._commit(fenced)
        for work, done in zip(batch, fenced, strict=True):
            if isinstance(work, TurnWork) and isinstance(done, TurnWork):
                work.error, work.result = done.error, _outcomes(work, done)


def _may_write(turn: RunCommit, held: Collection[int]) -> bool:
    return partition_of(turn.run.id) in held or (turn.unowned and turn.expected_version == 0)


def _fenced(work: TurnWork, held: Collection[int]) -> TurnWork:
    return TurnWork([turn for turn in work.turns if _may_write(turn, held)], work.start_keys, work.future)


def _outcomes(work: TurnWork, done: TurnWork) -> Any:  # noqa: ANN401 - as in the base
    if done.error is not None:
        return None
    written = dict(zip(map(id, done.turns), done.result, strict=True))
    return [written.get(id(turn), NotOwned()) for turn in work.turns]
