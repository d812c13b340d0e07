"""The one thread that writes: it takes all writes that wait, does them in one transaction, then answers them.

Fast path: no savepoints; consecutive turns are written together. If a write in it fails, or a turn is stale, the
transaction is rolled back and done again write by write, each in a savepoint, so that only the culprit fails. An
error of the database itself (disk full, I/O) fails the whole batch and leaves nothing of it.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from penstock.errors import InfrastructureError
from penstock.model.limits import MAX_QUEUED_WRITES, MAX_TURNS_PER_COMMIT
from penstock.store.counters import StoreCounters
from penstock.store.rows import CommitOutcome, Committed, Rejected, RunCommit, Stale
from penstock.store.sqlite.connection import failure, is_infrastructure
from penstock.store.sqlite.session import Session
from penstock.store.sqlite.turns import Conflict, write_turns
from penstock.store.waves import StartKeys

T = TypeVar("T")


class Work:
    """What one call asks of the database, and its outcome. `reads` promises that it changes nothing."""

    __slots__ = ("apply", "error", "future", "reads", "result")

    def __init__(self, apply: Callable[[Session], Any], future: "asyncio.Future[Any]", reads: bool) -> None:
        self.apply = apply
        self.future = future
        self.reads = reads
        self.result: Any = None
        self.error: Exception | None = None

    @property
    def weight(self) -> int:
        """How much of a transaction it fills, in turns."""
        return 1


class TurnWork(Work):
    """The turns of one `commit`."""

    __slots__ = ("start_keys", "turns")

    def __init__(self, turns: Sequence[RunCommit], start_keys: StartKeys, future: "asyncio.Future[Any]") -> None:
        # Closes over the turns, not over this object: a cycle would keep every turn until the next collection.
        super().__init__(lambda session: _one_by_one(session, turns, start_keys), future, reads=False)
        self.turns = turns
        self.start_keys = start_keys

    @property
    def weight(self) -> int:
        return len(self.turns)


class Writer:
    """Owns the writing connection. `start` and `close` belong to the event loop that also awaits the writes."""

    def __init__(self, session: Session, counters: StoreCounters, place: str) -> None:
        self._session = session
        self._counters = counters
        self._place = place
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(MAX_QUEUED_WRITES)
        self._waiting: deque[Work] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="penstock-store-writer", daemon=True)
        self._thread.start()

    @property
    def queue_length(self) -> int:
        return len(self._waiting)

    async def write(self, apply: Callable[[Session], T], *, reads: bool = False) -> T:
        """Does `apply` in the next transaction; returns its result when that is on disk."""
        return await self._enqueue(Work(apply, self._loop.create_future(), reads))

    async def write_turns(self, turns: Sequence[RunCommit], start_keys: StartKeys) -> list[CommitOutcome]:
        """Writes turns in the next transaction; returns their outcomes when that is on disk."""
        return await self._enqueue(TurnWork(turns, start_keys, self._loop.create_future()))

    async def close(self) -> None:
        """Finishes what waits, then ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    async def _enqueue(self, work: Work) -> Any:  # noqa: ANN401 - each write has its own result
        async with self._room:
            with self._changed:
                if self._closing:
                    raise InfrastructureError(f"the database {self._place} is closed")
                self._waiting.append(work)
                self._changed.notify()
            return await work.future

    def _run(self) -> None:
        while batch := self._take():
            self._commit(batch)
            try:
                self._loop.call_soon_threadsafe(_resolve, batch)
            except RuntimeError:
                return  # the event loop is closed: nobody waits any more

    def _take(self) -> list[Work]:
        """All that waits, up to a limit; nothing when the store closes."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            batch: list[Work] = []
            weight = 0
            while self._waiting and (not batch or weight + self._waiting[0].weight <= MAX_TURNS_PER_COMMIT):
                weight += self._waiting[0].weight
                batch.append(self._waiting.popleft())
            return batch

    def _commit(self, batch: list[Work]) -> None:
        try:
            if not self._transact(batch, _apply_together):
                self._counters.retried_batches += 1
                self._transact(batch, _apply_one_by_one)
        except Exception as error:  # the bulkhead of the writer: its callers get the error
            self._counters.failed_batches += 1
            for work in batch:
                work.error = failure(error, self._place)
                work.error.__cause__ = error

    def _transact(self, batch: list[Work], apply: Callable[[Session, list[Work]], None]) -> bool:
        """True when the batch is on disk, False when a write in it failed; raises when the database failed."""
        try:
            if self._session.in_transaction:
                self._session.control("ROLLBACK")  # the last one could not be rolled back at once
            self._session.control("BEGIN IMMEDIATE")
            apply(self._session, batch)
            self._session.control("COMMIT")
        except Exception as error:
            if self._session.in_transaction:
                self._session.control("ROLLBACK")
            if apply is _apply_one_by_one or is_infrastructure(error):
                raise
            return False
        self._count(batch)
        return True

    def _count(self, batch: list[Work]) -> None:
        self._counters.commits += any(not work.reads for work in batch)
        for work in batch:
            if isinstance(work, TurnWork) and work.error is None:
                self._counters.turns += sum(isinstance(o, Committed) for o in work.result)


def _apply_together(session: Session, batch: list[Work]) -> None:
    """The fast path: neighbouring turns in one go; any exception spoils the transaction."""
    turns: list[TurnWork] = []
    for work in batch:
        if isinstance(work, TurnWork):
            turns.append(work)
        else:
            _apply_turns(session, turns)
            turns = []
            work.result = work.apply(session)
    _apply_turns(session, turns)


def _apply_turns(session: Session, works: list[TurnWork]) -> None:
    turns = [turn for work in works for turn in work.turns]
    start_keys = {run_id: key for work in works for run_id, key in work.start_keys.items()}
    outcomes = iter(write_turns(session, turns, start_keys))
    for work in works:
        work.result = [next(outcomes) for _ in work.turns]


def _apply_one_by_one(session: Session, batch: list[Work]) -> None:
    """The careful path: what fails is undone alone and remembers its error."""
    for work in batch:
        session.control("SAVEPOINT work")
        try:
            work.result = work.apply(session)
        except Exception as error:
            if is_infrastructure(error):
                raise
            session.control("ROLLBACK TO work")
            work.error = error
        session.control("RELEASE work")


def _one_by_one(session: Session, turns: Sequence[RunCommit], start_keys: StartKeys) -> list[CommitOutcome]:
    return [_attempt_turn(session, turn, start_keys) for turn in turns]


def _attempt_turn(session: Session, turn: RunCommit, start_keys: StartKeys) -> CommitOutcome:
    outcome: CommitOutcome
    session.control("SAVEPOINT turn")
    try:
        (outcome,) = write_turns(session, (turn,), start_keys)
    except Conflict:
        session.control("ROLLBACK TO turn")
        outcome = Stale()
    except Exception as error:
        if is_infrastructure(error):
            raise
        session.control("ROLLBACK TO turn")
        outcome = Rejected(f"{type(error).__name__}: {error}")
    session.control("RELEASE turn")
    return outcome


def _resolve(batch: Iterable[Work]) -> None:
    for work in batch:
        if work.future.done():
            continue  # its caller was cancelled; what it wrote stays
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
