"""The turn loop: load → step → commit, for many runs at once; then, and only then, what the turns ask for happens.

Three loops share the work. One steps whatever is ready, one has evaluated what the kernel cannot, one commits what
is prepared; while a commit is in flight the next batch gathers. A run is in at most one of them at a time.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, assert_never

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.messages import Message, ResumeRequested, Started
from penstock.kernel.needs import Answer
from penstock.model import limits
from penstock.runtime.clock import Clock
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.live import LiveRuns
from penstock.runtime.mail import Origin, Queued, TurnResult
from penstock.runtime.mailboxes import Mailboxes
from penstock.runtime.metrics import Metrics
from penstock.runtime.opening import Opening
from penstock.runtime.programs import BrokenDefinition
from penstock.runtime.suspending import suspend
from penstock.runtime.turn import Turn
from penstock.runtime.turn_commit import Prepared
from penstock.runtime.unknown_outcome import was_written
from penstock.store.protocol import Store
from penstock.store.rows import CommitOutcome, Committed, NotOwned, Rejected, Stale

_EVALUATIONS_AT_ONCE = 1_000
_LOADS_AT_ONCE = 32


class Aftermath(Protocol):
    """What follows a commit."""

    def before(self, prepared: Prepared) -> None:
        """Called before the commit, so that routers look for what this turn listens to."""
        ...

    def dropped(self, prepared: Prepared) -> None:
        """What was announced by `before` did not happen."""
        ...

    def committed(self, prepared: Prepared, outcome: Committed) -> None:
        """Dispatches, cancels, routes, wakes: everything that the turn asked of the world."""
        ...

    def consumed(self, inbox_seqs: tuple[int, ...]) -> None:
        """These inbox rows are gone from the store."""
        ...

    def offer_held(self, run_id: str) -> None:
        """The run has events that it did not take, or new listeners: they may fit by now."""
        ...

    def look_again(self) -> None:
        """A commit happened of which not everything is known: read the inbox and the events again."""
        ...


class Turns:
    """`submit`, `ask` and `wake` are the only ways to move a run."""

    def __init__(
        self,
        *,
        store: Store,
        live: LiveRuns,
        opening: Opening,
        evaluator: Evaluator,
        clock: Clock,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.aftermath: Aftermath | None = None
        self.boxes = Mailboxes()
        self._store = store
        self._live = live
        self._opening = opening
        self._evaluator = evaluator
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._accepting = True
        self._needing: deque[Turn] = deque()
        self._prepared: deque[Prepared] = deque()
        self._leftovers: list[int] = []
        self._stale: dict[str, int] = {}
        self._failures = 0
        self._some_needs = asyncio.Event()
        self._some_prepared = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._evaluating = asyncio.Semaphore(_EVALUATIONS_AT_ONCE)
        self._loading = asyncio.Semaphore(_LOADS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        metrics.runs_waiting.set_function(lambda: self.boxes.ready_count)
        metrics.runs_cached.set_function(lambda: len(live))

    # The ways in

    def submit(
        self, run_id: str, message: Message, *, inbox_seq: int = 0, expires_at: int = 0, origin: Origin | None = None
    ) -> None:
        """Puts a message behind the others of the run."""
        self.boxes.add(run_id, Queued(message, inbox_seq, expires_at, origin))

    async def ask(self, run_id: str, message: Message, origin: Origin | None = None) -> TurnResult:
        """Puts a message behind the others; returns when its turn is on disk.

        Raises `InfrastructureError` when the engine is stopping or the store cannot be written.
        """
        if not self._accepting:
            raise InfrastructureError("the engine is stopping")
        waiter: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()
        self.boxes.add(run_id, Queued(message, origin=origin, waiter=waiter))
        return await waiter

    def wake(self, run_id: str) -> None:
        """Asks for a look at the deadlines of the run."""
        self.boxes.wake(run_id)

    def start(self) -> None:
        for loop in (self._step_loop, self._evaluate_loop, self._commit_loop):
            self._spawn(self._guarded(loop))

    async def stop(self, grace_ms: int) -> None:
        """Takes no more requests, lets turns under way finish within the grace, then ends the loops."""
        self._accepting = False
        try:
            async with asyncio.timeout(grace_ms / 1000):
                while self.boxes.ready_count or self.boxes.busy_count:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            self._log.warning("stopped with turns under way", runs=self.boxes.busy_count)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Stepping

    async def _step_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.boxes.some_ready.wait()
            began = loop.time()
            for run_id in self.boxes.take(limits.MAX_RUNS_PER_BATCH):
                self._begin(run_id)
                if (loop.time() - began) * 1000 > limits.STEPPING_SLICE_MS:
                    await asyncio.sleep(0)
                    began = loop.time()
            await asyncio.sleep(0)
            while len(self._prepared) > 2 * limits.MAX_COMMIT_RUNS:
                self._room.clear()
                await self._room.wait()

    def _begin(self, run_id: str) -> None:
        mail, wake = self.boxes.open(run_id)
        turn = Turn(run_id, mail, wake=wake, base=self._live.cached(run_id), clock=self._clock)
        if run_id not in self._stale and self._opening.at_once(turn):
            self._advance(turn)
        else:
            self._spawn(self._begin_slowly(turn))

    async def _begin_slowly(self, turn: Turn) -> None:
        async with self._loading:
            try:
                await self._opening.complete(turn)
            except BrokenDefinition as error:
                self._isolate(turn, str(error))
                return
            except InfrastructureError as error:
                self._log.warning("run cannot be read", run_id=turn.run_id, reason=str(error))
                await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
                self._again(turn)
                return
            except Exception as error:  # bulkhead: one run that cannot be read does not stop the others
                self._fail(turn, error)
                return
        self._advance(turn)

    def _advance(self, turn: Turn, answers: list[Answer] | None = None) -> None:
        try:
            done = turn.advance(answers or ())
        except Exception as error:  # bulkhead: one run that cannot be stepped does not stop the others
            self._fail(turn, error)
            return
        if done:
            self._prepare(turn)
        else:
            self._needing.append(turn)
            self._some_needs.set()

    def _fail(self, turn: Turn, error: Exception) -> None:
        self._log.error("turn failed", run_id=turn.run_id, exc_info=error)
        # The message stays out: it may quote what the run holds.
        self._isolate(turn, f"the engine could not process this run ({type(error).__name__}); see its log")

    def _isolate(self, turn: Turn, reason: str) -> None:
        """Suspends the run from its last state on disk, in place of everything that this turn did."""
        if turn.failure:
            self._give_up(turn, reason)
            return
        fresh = Turn(turn.run_id, turn.mail, wake=False, base=turn.base, clock=self._clock)
        fresh.program = turn.program
        self._metrics.suspended.inc()
        try:
            suspend(fresh, reason)
            self._prepare(fresh)
        except Exception as error:  # bulkhead: what cannot even be suspended stays as it is on disk
            self._log.error("run cannot be suspended", run_id=turn.run_id, exc_info=error)
            self._give_up(turn, reason)

    def _give_up(self, turn: Turn, reason: str) -> None:
        """Leaves the run as it is on disk. Its messages stay in the store's inbox for the next start."""
        self._log.error("run left alone", run_id=turn.run_id, reason=reason)
        for item in turn.mail:
            item.refuse(InfrastructureError(reason))
        self._live.drop(turn.run_id)
        self._close(turn)

    def _again(self, turn: Turn) -> None:
        """Gives the messages back and begins the turn anew."""
        self.boxes.put_back(turn.run_id, turn.mail, wake=True)
        self._close(turn)

    def _close(self, turn: Turn) -> None:
        self.boxes.close(turn.run_id)
        self._idle.set()

    # Evaluating

    async def _evaluate_loop(self) -> None:
        while True:
            await self._some_needs.wait()
            while self._needing:
                await self._evaluating.acquire()
                self._spawn(self._evaluate(self._needing.popleft()))
            self._some_needs.clear()

    async def _evaluate(self, turn: Turn) -> None:
        """Each turn goes on with its own answers; the workers put together what is asked at the same time."""
        try:
            answers = await self._answers(turn)
        finally:
            self._evaluating.release()
        if answers is not None:
            self._advance(turn, answers)

    async def _answers(self, turn: Turn) -> list[Answer] | None:
        requests = [(turn.program.workflow, need) for need in turn.needs] if turn.program else []
        try:
            return await self._evaluator.answers(requests)
        except InfrastructureError as error:
            self._log.warning("expressions wait", reason=str(error))
            await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
            self._needing.append(turn)
            self._some_needs.set()
        except Exception as error:  # bulkhead: of a turn
            self._fail(turn, error)
        return None

    # Committing

    def _prepare(self, turn: Turn) -> None:
        leftovers, self._leftovers = self._leftovers, []
        try:
            prepared = Prepared(turn, leftovers)
        except Exception as error:  # bulkhead: one state that cannot be encoded does not stop the others
            self._leftovers = leftovers + self._leftovers
            self._fail(turn, error)
            return
        if prepared.commit is None:
            self._leftovers += leftovers
            self._nothing_changed(prepared)
            return
        assert self.aftermath is not None
        self.aftermath.before(prepared)
        self._prepared.append(prepared)
        self._some_prepared.set()

    def _nothing_changed(self, prepared: Prepared) -> None:
        turn = prepared.turn
        self._leftovers.extend(prepared.consumed)
        self._answer(prepared)
        self._hold(turn, anew=False)
        if turn.poisoned:
            self.boxes.poison(turn.run_id, turn.poisoned)
        if turn.base is not None:
            self._live.put(turn.base)
        self._stale.pop(turn.run_id, None)
        goes_on = turn.state is not None and bool(turn.state.runnable) and not turn.state.ended
        self._close(turn)
        if goes_on and turn.mail:
            self.boxes.wake(turn.run_id, yielding=True)

    async def _commit_loop(self) -> None:
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
            self._count_outcomes(outcomes)
            for prepared, outcome in zip(batch, outcomes, strict=True):
                self._take(prepared, outcome)

    async def _by_halves(self, batch: list[Prepared], error: Exception) -> None:
        if len(batch) == 1:
            rejected = Rejected(f"{type(error).__name__}: {str(error)[:200]}")
            self._count_outcomes((rejected,))
            self._take(batch[0], rejected)
            return
        middle = len(batch) // 2
        await self._commit(batch[:middle])
        await self._commit(batch[middle:])

    def _take(self, prepared: Prepared, outcome: CommitOutcome) -> None:
        assert self.aftermath is not None
        match outcome:
            case Committed():
                self._committed(prepared, outcome)
            case Stale() | NotOwned():
                self.aftermath.dropped(prepared)
                self._leftovers.extend(prepared.leftovers)
                self._was_stale(prepared)
            case Rejected():
                self.aftermath.dropped(prepared)
                self._leftovers.extend(prepared.leftovers)
                self._live.drop(prepared.turn.run_id)
                self._log.error("store refused a turn", run_id=prepared.turn.run_id, reason=outcome.reason)
                self._isolate(prepared.turn, f"the store refused this run's turn: {outcome.reason}")
            case _:
                assert_never(outcome)

    def _committed(self, prepared: Prepared, outcome: Committed) -> None:
        turn, state = prepared.turn, prepared.turn.state
        assert state is not None and prepared.after is not None and self.aftermath is not None
        self._live.put(prepared.after)
        self._stale.pop(turn.run_id, None)
        self._count(prepared)
        if turn.poisoned:
            self.boxes.poison(turn.run_id, turn.poisoned)
        self.aftermath.consumed((*prepared.consumed, *prepared.leftovers))
        self.aftermath.committed(prepared, outcome)
        self._answer(prepared)
        if state.ended:
            dropped = self.boxes.release_held(turn.run_id) + self.boxes.release_poisoned(turn.run_id)
            self.discard(dropped)
        else:
            self._hold(turn, anew=bool(prepared.writes and prepared.writes.subscribe))
        if any(isinstance(item.message, ResumeRequested) and not stale for item, stale in turn.settled):
            self.boxes.put_back(turn.run_id, self.boxes.release_poisoned(turn.run_id))
        self._close(turn)
        if state.runnable and not state.ended and state.status != "suspended":
            self.boxes.wake(turn.run_id, yielding=True)

    def _hold(self, turn: Turn, *, anew: bool) -> None:
        """Keeps events that came before their listener; they are offered when there is something new to offer."""
        assert self.aftermath is not None
        dropped = self.boxes.hold(turn.run_id, turn.held)
        self._leftovers.extend(item.inbox_seq for item in dropped)
        if turn.held or (anew and self.boxes.holds(turn.run_id)):
            self.aftermath.offer_held(turn.run_id)

    def discard(self, items: list[Queued]) -> None:
        """Forgets inbox messages that mean nothing any more; their rows go with the next commit."""
        self._leftovers.extend(item.inbox_seq for item in items if item.inbox_seq)

    def _answer(self, prepared: Prepared) -> None:
        run = prepared.commit.run if prepared.commit else (prepared.turn.base.run if prepared.turn.base else None)
        for item, stale in prepared.turn.settled:
            item.answer(TurnResult(run, prepared.turn.state, stale))
        for item in prepared.turn.poisoned:
            item.refuse(InfrastructureError(prepared.turn.failure))

    def _count_outcomes(self, outcomes: Sequence[CommitOutcome]) -> None:
        for kind, count in Counter(map(type, outcomes)).items():
            self._metrics.commits.labels(kind.__name__.lower()).inc(count)
            if kind is Committed:
                self._metrics.turns.inc(count)

    def _count(self, prepared: Prepared) -> None:
        turn, state = prepared.turn, prepared.turn.state
        for item, stale in turn.settled:
            if stale:
                self._metrics.stale.inc()
            else:
                self._metrics.messages.labels(type(item.message).__name__).inc()
        if turn.base is None:
            self._metrics.runs_started.inc()
        if state is not None and state.ended:
            self._metrics.runs_ended.labels(state.status).inc()

    # When the commit did not go as thought

    def _was_stale(self, prepared: Prepared) -> None:
        turn = prepared.turn
        self._live.drop(turn.run_id)
        if prepared.key is not None:
            self._spawn(self._known_start(prepared))
            return
        count = self._stale[turn.run_id] = self._stale.get(turn.run_id, 0) + 1
        if count > limits.MAX_STALE_RETRIES:
            del self._stale[turn.run_id]
            self._give_up(turn, "another engine keeps changing this run")
        else:
            self._again(turn)

    async def _known_start(self, prepared: Prepared) -> None:
        """A start whose key may be taken: answers with the run that has it."""
        turn, key = prepared.turn, prepared.key
        assert key is not None
        try:
            found = await self._store.start_key(key.namespace, key.name, key.key)
        except InfrastructureError as error:
            self._log.warning("a start waits", run_id=turn.run_id, reason=str(error))
            await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
            self._again(turn)
            return
        self._stale[turn.run_id] = self._stale.get(turn.run_id, 0) + 1
        if found is None and self._stale[turn.run_id] <= limits.MAX_STALE_RETRIES:
            self._again(turn)
            return
        del self._stale[turn.run_id]
        for item in turn.mail:
            if isinstance(item.message, Started) and found is not None:
                item.answer(TurnResult(duplicate_of=found))
            else:
                item.refuse(InfrastructureError("the run could not be started"))
        self._close(turn)

    async def _unknown(self, batch: list[Prepared], error: InfrastructureError) -> None:
        """Nobody knows whether the batch was written: read each run again, before anything is dispatched."""
        self._failures += 1
        self._metrics.commits.labels("unknown").inc(len(batch))
        self._log.error("commit failed", reason=str(error), runs=len(batch), failures=self._failures)
        if self._failures >= limits.MAX_COMMIT_ATTEMPTS:
            for item in (item for prepared in batch for item in prepared.turn.mail):
                item.refuse(InfrastructureError("the store cannot be written; the work is kept and tried again"))
        for prepared in batch:
            self._live.drop(prepared.turn.run_id)
        await self._back_off()
        for prepared in batch:
            await self._settle_unknown(prepared)

    async def _back_off(self) -> None:
        pause_ms = limits.COMMIT_BACKOFF_MS * 2 ** min(self._failures - 1, 10)
        await asyncio.sleep(min(pause_ms, limits.MAX_COMMIT_BACKOFF_MS) / 1000)

    async def _settle_unknown(self, prepared: Prepared) -> None:
        assert prepared.commit is not None and self.aftermath is not None
        while True:
            try:
                written = was_written(prepared.commit, await self._store.load_run(prepared.turn.run_id))
                break
            except InfrastructureError:
                self._failures += 1
                await self._back_off()
        if written:
            self._metrics.turns.inc()
            self._committed(prepared, Committed())
            self.aftermath.look_again()
        else:
            self.aftermath.dropped(prepared)
            self._leftovers.extend(prepared.leftovers)
            self._again(prepared.turn)

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something beside the loops, as part of this engine."""
        self._spawn(work)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("task of the turn loop failed", exc_info=error)

    async def _guarded(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Bulkhead: a loop that fails on its own account goes on."""
        while True:
            try:
                await loop()
            except Exception as error:
                self._log.error("turn loop failed", exc_info=error)
                await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
