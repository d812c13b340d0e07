"""A store whose disk is memory, whose time is the loop's, and whose operations fail as the weather says.

Statements, group commit and the careful path are those of the SQLite store, so that its contract is not written
twice; only thread, file and lock are replaced. What is on the disk outlives the process that wrote it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from penstock.errors import InfrastructureError, StoreInUse
from penstock.model.json_value import Json
from penstock.model.limits import MAX_TURNS_PER_COMMIT
from penstock.store.counters import StoreCounters
from penstock.store.rows import CommitOutcome, RunCommit
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite.connection import connect_writer
from penstock.store.sqlite.migrate import load_migrations, migrate
from penstock.store.sqlite.session import Session
from penstock.store.sqlite.writer import TurnWork, Work, Writer
from penstock.store.statements import Statements, load_statements
from penstock.testing.loop import Process, current_process
from penstock.testing.members import Members
from penstock.testing.numbers import NumberedSession

T = TypeVar("T")

PLACE = "in the simulation"


class Faults(Protocol):
    """What may go wrong around an operation. `Calm` below is a good day."""

    async def before_write(self) -> None:
        """May take time, raise, or never return."""
        ...

    async def after_write(self) -> None:
        """The same, when the write is on disk."""
        ...

    async def around_read(self) -> None: ...

    def write_again(self, again: Callable[[], Awaitable[None]]) -> None:
        """May do the turns of a transaction once more, later."""
        ...


class Witness(Protocol):
    """Sees every turn that was written, in order."""

    def wrote(self, node: str, turns: Sequence[RunCommit], outcomes: Sequence[CommitOutcome]) -> None:
        """`node` is the member that wrote, "" for a store that is not shared."""
        ...

    def delivered(self, node: str, run_ids: Sequence[str]) -> None:
        """Events were put into the inboxes of these runs."""
        ...

    def transacted(self) -> None:
        """A transaction is on disk, or was rolled back."""
        ...


class Calm:
    """No faults, no time."""

    async def before_write(self) -> None:
        await asyncio.sleep(0)

    async def after_write(self) -> None:
        await asyncio.sleep(0)

    async def around_read(self) -> None:
        await asyncio.sleep(0)

    def write_again(self, again: Callable[[], Awaitable[None]]) -> None:
        """Never."""

    def wrote(self, node: str, turns: Sequence[RunCommit], outcomes: Sequence[CommitOutcome]) -> None:
        """Nobody looks."""

    def delivered(self, node: str, run_ids: Sequence[str]) -> None:
        """The same."""

    def transacted(self) -> None:
        """The same."""


class SimulatedDisk:
    """What survives crashes. `session` looks at it at once, as tests and oracles do."""

    def __init__(self, statements: Statements | None = None) -> None:
        self.counters = StoreCounters()
        self.owner: Process | None = None
        self.taken = False
        connection = connect_writer(None)
        migrate(connection, load_migrations(), PLACE)
        self.members = Members()
        self._looks = Session(connection, load_statements("penstock.testing", "oracle.sql"), StoreCounters())
        statements = statements or load_statements("penstock.store.sqlite", "statements.sql")
        self.session = NumberedSession(connection, statements, self.counters, self._looks)

    def look(self, statement: str, *parameters: Json) -> list[tuple[Json, ...]]:
        """What a statement of `oracle.sql` finds."""
        return self._looks.execute(statement, parameters).fetchall()

    def close(self) -> None:
        self.session.close()


class SimulatedStore(SqliteStore):
    """A `Store` over a disk; one of them at a time is open, as with a file and its lock."""

    def __init__(self, disk: SimulatedDisk, faults: Faults | None = None, witness: Witness | None = None) -> None:
        super().__init__(None)
        calm = Calm()
        self._counters = disk.counters
        self._disk = disk
        self._faults: Faults = faults or calm
        self._witness: Witness = witness or calm

    async def open(self) -> None:
        if self._writer is not None:
            raise InfrastructureError(f"the database {PLACE} is open already")
        await self._faults.around_read()
        disk = self._disk
        if disk.taken and (disk.owner is None or disk.owner.alive):
            raise StoreInUse(f"the database {PLACE} is in use")
        disk.taken, disk.owner = True, current_process()
        self._session = disk.session
        self._writer = SimulatedWriter(disk.session, disk.counters, self._faults, self._witness)
        self._readers = SimulatedReaders(disk.session, self._faults)

    async def close(self) -> None:
        if self._writer is None:
            return
        await self._writer.close()
        self._writer = self._readers = None
        self._disk.taken = False


class SimulatedReaders:
    """Reads see what is committed when they happen, somewhere between question and answer."""

    def __init__(self, session: Session, faults: Faults) -> None:
        self._session = session
        self._faults = faults

    async def read(self, query: Callable[[Session], T]) -> T:
        await self._faults.around_read()
        found = query(self._session)
        await self._faults.around_read()
        return found

    async def close(self) -> None:
        """Holds nothing."""


class SimulatedWriter(Writer):
    """The writer with a task in the place of its thread."""

    def __init__(self, session: Session, counters: StoreCounters, faults: Faults, witness: Witness) -> None:
        # The base starts a thread here; everything else of it is used as it stands.
        self._session = session
        self._counters = counters
        self._place = PLACE
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Work] = deque()
        self._closing = False
        self._faults = faults
        self._witness = witness
        self._some = asyncio.Event()
        self._task = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        self._closing = True
        self._some.set()
        await self._task

    async def _enqueue(self, work: Work) -> Any:  # noqa: ANN401 - as in the base
        if self._closing:
            raise InfrastructureError(f"the database {PLACE} is closed")
        self._waiting.append(work)
        self._some.set()
        return await work.future

    async def _write_all(self) -> None:
        while self._waiting or not self._closing:
            await self._some.wait()
            if not self._closing:
                self._some.clear()
            while batch := self._next():
                await self._write_batch(batch)
                for work in batch:
                    _answer(work)

    def _next(self) -> list[Work]:
        batch: list[Work] = []
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= MAX_TURNS_PER_COMMIT):
            weight += self._waiting[0].weight
            batch.append(self._waiting.popleft())
        return batch

    async def _write_batch(self, batch: list[Work]) -> None:
        only_reads = all(work.reads for work in batch)
        try:
            await (self._faults.around_read() if only_reads else self._faults.before_write())
            self._write_now(batch)
            await (self._faults.around_read() if only_reads else self._faults.after_write())
        except InfrastructureError as error:
            for work in batch:
                work.error = error

    def _write_now(self, batch: list[Work]) -> None:
        self._commit(batch)
        turns = [work for work in batch if isinstance(work, TurnWork)]
        for work in turns:
            if work.error is None:
                self._witness.wrote(self._member(), work.turns, work.result)
        self._witness.transacted()
        if turns:
            self._faults.write_again(lambda: self._again(turns))

    def _member(self) -> str:
        """Who writes."""
        return ""

    async def _again(self, works: list[TurnWork]) -> None:
        """A transaction that arrives a second time: every turn in it must find itself stale."""
        twice = [TurnWork(work.turns, work.start_keys, self._loop.create_future()) for work in works]
        self._commit(list(twice))
        for work in twice:
            if work.error is None:
                self._witness.wrote(self._member(), work.turns, work.result)


def _answer(work: Work) -> None:
    if work.future.done():
        return  # its caller was cancelled; what it wrote stays
    if work.error is not None:
        work.future.set_exception(work.error)
    else:
        work.future.set_result(work.result)
