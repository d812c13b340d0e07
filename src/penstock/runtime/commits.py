"""The loop that commits: many runs' turns in one transaction, and what to do when it did not go as thought.

While a commit is in flight the next batch gathers. What a turn asks for happens only after its commit.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol, assert_never

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.messages import Started
from penstock.model import limits
from penstock.runtime.endings import Aftermath, Endings
from penstock.runtime.leftovers import Leftovers
from penstock.runtime.live import LiveRuns
from penstock.runtime.mail import TurnResult
from penstock.runtime.metrics import Metrics
from penstock.runtime.tasks import Tasks
from penstock.runtime.turn import Turn
from penstock.runtime.turn_commit import Prepared
from penstock.runtime.unknown_outcome import was_written
from penstock.store.protocol import Store
from penstock.store.rows import CommitOutcome, Committed, NotOwned, Rejected, Stale


class Stepping(Protocol):
    """Where turns come from, and where they go that are not written."""

    def again(self, turn: Turn) -> None:
        """Gives the messages back and begins the turn anew."""
        ...

    def isolate(self, turn: Turn, reason: str) -> None:
        """Suspends the run from its last state on disk, in place of everything that this turn did."""
        ...

    def fail(self, turn: Turn, error: Exception) -> None:
        """The same, for an error inside the engine."""
        ...

    def give_up(self, turn: Turn, reason: str) -> None:
        """Leaves the run as it is on disk."""
        ...

    def close(self, turn: Turn) -> None: ...


class Commits:
    """`add` puts a turn that is done into the next transaction."""

    def __init__(
        self,
        *,
        store: Store,
        live: LiveRuns,
        stepping: Stepping,
        endings: Endings,
        aftermath: Aftermath,
        leftovers: Leftovers,
        tasks: Tasks,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._store = store
        self._live = live
        self._stepping = stepping
        self._endings = endings
        self._aftermath = aftermath
        self._leftovers = leftovers
        self._tasks = tasks
        self._metrics = metrics
        self._log = log
        self._prepared: deque[Prepared] = deque()
        self._stale: dict[str, int] = {}
        self._failures = 0
        self._settling = False
        self._some_prepared = asyncio.Event()
        self._room = asyncio.Event()

    def doubts(self, run_id: str) -> bool:
        """Whether the run's last turn was stale, so that its state must be read again."""
        return run_id in self._stale

    @property
    def failing(self) -> bool:
        """Whether the store has not taken anything for a while."""
        return self._settling and self._failures >= limits.MAX_COMMIT_ATTEMPTS

    async def room(self) -> None:
        """Returns when not too many turns wait for their commit."""
        while len(self._prepared) > 2 * limits.MAX_COMMIT_RUNS:
            self._room.clear()
            await self._room.wait()

    def add(self, turn: Turn) -> None:
        """Takes a turn that is done."""
        leftovers = self._leftovers.take()
        try:
            prepared = Prepared(turn, leftovers)
        except Exception as error:  # bulkhead: one state that cannot be encoded does not stop the others
            self._leftovers.add(leftovers)
            self._stepping.fail(turn, error)
            return
        if prepared.commit is None:
            self._leftovers.add(leftovers)
            self._stale.pop(turn.run_id, None)
            self._endings.unchanged(prepared)
            return
        self._aftermath.before(prepared)
        self._prepared.append(prepared)
        self._some_prepared.set()

    async def run(self) -> None:
        """Commits for ever."""
        while True:
            await self._some_prepared.wait()
            batch = [self._prepared.popleft() for _ in range(min(len(self._prepared), limits.MAX_COMMIT_RUNS))]
            if not self._prepared:
                self._some_prepared.clear()
            self._room.set()
            await self._commit(batch)

    async def _commit(self, batch: list[Prepared]) -> None:
        commits = [prepared.commit for prepared in batch if prepared.commit]
        keys = [prepared.key for prepared in batch if prepared.key]
        try:
            with self._metrics.commit_seconds.time():
                outcomes = await self._store.commit(commits, keys)
        except InfrastructureError as error:
            await self._unknown(batch, error)
        except Exception as error:  # bulkhead: whoever is to blame for a failed batch is found by halves
            await self._by_halves(batch, error)
        else:
            self._failures = 0
            self._count(outcomes)
            for prepared, outcome in zip(batch, outcomes, strict=True):
                self._take(prepared, outcome)

    async def _by_halves(self, batch: list[Prepared], error: Exception) -> None:
        if len(batch) == 1:
            rejected = Rejected(f"{type(error).__name__}: {str(error)[:200]}")
            self._count((rejected,))
            self._take(batch[0], rejected)
            return
        middle = len(batch) // 2
        await self._commit(batch[:middle])
        await self._commit(batch[middle:])

    def _count(self, outcomes: Sequence[CommitOutcome]) -> None:
        for kind, count in Counter(map(type, outcomes)).items():
            self._metrics.commits.labels(kind.__name__.lower()).inc(count)
            if kind is Committed:
                self._metrics.turns.inc(count)

    def _take(self, prepared: Prepared, outcome: CommitOutcome) -> None:
        match outcome:
            case Committed():
                self._committed(prepared, outcome)
            case Stale():
                self._dropped(prepared)
                self._was_stale(prepared)
            case NotOwned():
                self._was_not_owned(prepared)
            case Rejected():
                self._dropped(prepared)
                self._live.drop(prepared.turn.run_id)
                self._log.error("store refused a turn", run_id=prepared.turn.run_id, reason=outcome.reason)
                self._stepping.isolate(prepared.turn, f"the store refused this run's turn: {outcome.reason}")
            case _:
                assert_never(outcome)

    def _committed(self, prepared: Prepared, outcome: Committed) -> None:
        self._stale.pop(prepared.turn.run_id, None)
        self._endings.committed(prepared, outcome)

    def _dropped(self, prepared: Prepared) -> None:
        self._aftermath.dropped(prepared)
        self._leftovers.add(prepared.leftovers)

    def _was_not_owned(self, prepared: Prepared) -> None:
        """What was judged without meaning here may mean something to the node that holds it."""
        self._aftermath.dropped(prepared)
        self._aftermath.not_owned(prepared.turn.run_id)
        self._aftermath.forget((*prepared.leftovers, *self._leftovers.take()))
        self._stale.pop(prepared.turn.run_id, None)
        self._stepping.again(prepared.turn)

    # Another version than expected

    def _was_stale(self, prepared: Prepared) -> None:
        turn = prepared.turn
        self._live.drop(turn.run_id)
        if prepared.key is not None:
            self._tasks.spawn(self._known_start(prepared))
            return
        count = self._stale[turn.run_id] = self._stale.get(turn.run_id, 0) + 1
        if count > limits.MAX_STALE_RETRIES:
            del self._stale[turn.run_id]
            self._stepping.give_up(turn, "another engine keeps changing this run")
        else:
            self._stepping.again(turn)

    async def _known_start(self, prepared: Prepared) -> None:
        """A start whose key may be taken: answers with the run that has it."""
        turn, key = prepared.turn, prepared.key
        assert key is not None
        try:
            found = await self._store.start_key(key.namespace, key.name, key.key)
        except InfrastructureError as error:
            self._log.warning("a start waits", run_id=turn.run_id, reason=str(error))
            await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
            self._stepping.again(turn)
            return
        self._stale[turn.run_id] = self._stale.get(turn.run_id, 0) + 1
        if found is None and self._stale[turn.run_id] <= limits.MAX_STALE_RETRIES:
            self._stepping.again(turn)
            return
        del self._stale[turn.run_id]
        for item in turn.mail:
            if isinstance(item.message, Started) and found is not None:
                item.answer(TurnResult(duplicate_of=found))
            else:
                item.refuse(InfrastructureError("the run could not be started"))
        self._stepping.close(turn)

    # Unknown outcome

    async def _unknown(self, batch: list[Prepared], error: InfrastructureError) -> None:
        """Nobody knows whether the batch was written: read each run again, before anything is dispatched."""
        self._failures += 1
        self._metrics.commits.labels("unknown").inc(len(batch))
        self._log.error("commit failed", reason=str(error), runs=len(batch), failures=self._failures)
        for prepared in batch:
            self._live.drop(prepared.turn.run_id)
        self._settling = True
        try:
            self._refuse(batch)
            await self._back_off()
            for prepared in batch:
                await self._settle_unknown(prepared, batch)
        finally:
            self._settling = False

    def _refuse(self, batch: list[Prepared]) -> None:
        """Tells those who wait, once the store has failed for long. Starts are not tried again, all else is."""
        if self._failures < limits.MAX_COMMIT_ATTEMPTS:
            return
        for item in (item for prepared in batch for item in prepared.turn.mail):
            what = "try again" if item.is_start else "the request may be done later; try again"
            item.refuse(InfrastructureError(f"the store cannot be written; {what}"))

    async def _back_off(self) -> None:
        pause_ms = limits.COMMIT_BACKOFF_MS * 2 ** min(self._failures - 1, 10)
        await asyncio.sleep(min(pause_ms, limits.MAX_COMMIT_BACKOFF_MS) / 1000)

    async def _settle_unknown(self, prepared: Prepared, batch: list[Prepared]) -> None:
        assert prepared.commit is not None
        while True:
            try:
                written = was_written(prepared.commit, await self._store.load_run(prepared.turn.run_id))
                break
            except InfrastructureError:
                self._failures += 1
                self._refuse(batch)
                await self._back_off()
        if written:
            self._metrics.turns.inc()
            self._committed(prepared, Committed())
            self._aftermath.look_again()
        else:
            self._dropped(prepared)
            prepared.turn.mail = [item for item in prepared.turn.mail if not (item.is_start and item.is_refused)]
            self._stepping.again(prepared.turn)
