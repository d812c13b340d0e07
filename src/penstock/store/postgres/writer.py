"""The one task that writes: it takes all writes that wait, does them in one transaction, then answers them.

Fast path: everything together, turns by a few statements for all of them. If something in it is to blame, the
transaction is rolled back and done again by halves, each under a savepoint, until the culprit is alone and fails
alone. A connection that is lost before COMMIT was sent has written nothing: the transaction is done again, once, on a
new one; and so is one that the server gave up for another node's, a few times. After COMMIT was sent the outcome is
unknown, and every write of the transaction fails.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from penstock.errors import InfrastructureError
from penstock.model.limits import MAX_QUEUED_WRITES, MAX_TRANSACTION_ATTEMPTS, MAX_TURNS_PER_COMMIT
from penstock.store.counters import StoreCounters
from penstock.store.postgres.failures import failure, is_culprit, is_lost, is_undone
from penstock.store.postgres.link import Link
from penstock.store.postgres.session import Session
from penstock.store.postgres.steps import Announced, Apply, Step, TurnStep, WriteStep, apply_by_halves, apply_together
from penstock.store.rows import CommitOutcome, Committed, RunCommit
from penstock.store.waves import StartKeys

T = TypeVar("T")


class _NothingWritten(Exception):
    """The transaction ended before COMMIT was sent, by no fault of its writes: the same may be done again."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


class Work:
    """What one call asks of the database: its steps, and who waits for them."""

    __slots__ = ("error", "future", "steps")

    def __init__(self, steps: Sequence[Step], future: "asyncio.Future[Any]") -> None:
        self.steps = steps
        self.future = future
        self.error: Exception | None = None

    def resolve(self) -> None:
        """Answers the caller, unless it was cancelled; what it wrote stays then."""
        if self.future.done():
            return
        failed = self.error or next((s.error for s in self.steps if isinstance(s, WriteStep) and s.error), None)
        if failed is not None:
            self.future.set_exception(failed)
        else:
            self.future.set_result([step.result for step in self.steps])


class Writer:
    """Owns the link. Belongs to the event loop in which it is made. `written` is called with the steps of each
    transaction that is on disk, before those who wait for them are answered."""

    def __init__(
        self, link: Link, counters: StoreCounters, place: str, written: Callable[[Sequence[Step]], None]
    ) -> None:
        self._link = link
        self._counters = counters
        self._place = place
        self._written = written
        self._room = asyncio.Semaphore(MAX_QUEUED_WRITES)
        self._waiting: deque[Work] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="penstock-store-writer")

    @property
    def queue_length(self) -> int:
        return len(self._waiting)

    async def write(
        self, apply: Callable[[Session], Awaitable[T]], announces: Callable[[T], Iterable[Announced]] | None = None
    ) -> T:
        """Does `apply` in the next transaction; returns its result when that is on disk."""
        (result,) = await self._enqueue([WriteStep(apply, announces) if announces else WriteStep(apply)])
        return result

    async def write_turns(self, turns: Sequence[RunCommit], start_keys: StartKeys) -> list[CommitOutcome]:
        """Writes turns in the next transaction; returns their outcomes when that is on disk."""
        return await self._enqueue([TurnStep(turn, start_keys.get(turn.run.id)) for turn in turns])

    async def close(self) -> None:
        """Finishes what waits, then ends the task and the connection."""
        self._closing = True
        self._changed.set()
        await self._task
        await self._link.close()

    async def _enqueue(self, steps: Sequence[Step]) -> list[Any]:
        async with self._room:
            if self._closing:
                raise InfrastructureError(f"the database {self._place} is closed")
            work = Work(steps, asyncio.get_running_loop().create_future())
            self._waiting.append(work)
            self._changed.set()
            return await work.future

    async def _run(self) -> None:
        while batch := await self._take():
            await self._commit(batch)
            for work in batch:
                work.resolve()

    async def _take(self) -> list[Work]:
        """All that waits, up to a limit; nothing when the store closes."""
        while not self._waiting and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        batch: list[Work] = []
        weight = 0
        while self._waiting and (not batch or weight + len(self._waiting[0].steps) <= MAX_TURNS_PER_COMMIT):
            weight += len(self._waiting[0].steps)
            batch.append(self._waiting.popleft())
        return batch

    async def _commit(self, batch: list[Work]) -> None:
        steps = [step for work in batch for step in work.steps]
        try:
            if not await self._transact_again(steps, apply_together):
                self._counters.retried_batches += 1
                await self._transact_again(steps, apply_by_halves)
            self._count(steps)
            self._written(steps)
        except Exception as error:  # the bulkhead of the writer: its callers get the error
            self._counters.failed_batches += 1
            for work in batch:
                work.error = failure(error, self._place)
                work.error.__cause__ = error

    async def _transact_again(self, steps: Sequence[Step], apply: Apply) -> bool:
        attempt = 1
        while True:
            try:
                return await self._transact(steps, apply)
            except _NothingWritten as undone:
                if attempt == MAX_TRANSACTION_ATTEMPTS or (attempt > 1 and is_lost(undone.cause)):
                    raise undone.cause from None
            attempt += 1

    async def _transact(self, steps: Sequence[Step], apply: Apply) -> bool:
        """True when the steps are on disk, False when one of them is to blame; raises when the database failed."""
        committing = False
        try:
            session = await self._link.begin()
            try:
                await apply(session, steps)
            except Exception as error:
                if not is_culprit(error):
                    raise
                await session.rollback()
                return False
            committing = True
            await session.commit()
        except BaseException as error:
            self._link.drop()  # a transaction may be open on it
            if not committing and (is_lost(error) or is_undone(error)):
                raise _NothingWritten(error) from error
            if committing and isinstance(error, Exception):
                await self._link.settle()
            raise
        return True

    def _count(self, steps: Iterable[Step]) -> None:
        self._counters.commits += 1
        self._counters.turns += sum(isinstance(step.result, Committed) for step in steps)
