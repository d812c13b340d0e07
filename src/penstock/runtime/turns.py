"""The turn loop: load → step → commit, for many runs at once; then, and only then, what the turns ask for happens.

Three loops share the work. One steps whatever is ready, one has evaluated what the kernel cannot, one commits what
is prepared (`penstock.runtime.commits`). A run is in at most one of them at a time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.messages import Message
from penstock.kernel.needs import Answer
from penstock.model import limits
from penstock.runtime.clock import Clock
from penstock.runtime.commits import Commits
from penstock.runtime.endings import Aftermath, Endings
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.leftovers import Leftovers
from penstock.runtime.live import LiveRuns
from penstock.runtime.mail import Origin, Queued, TurnResult
from penstock.runtime.mailboxes import Mailboxes
from penstock.runtime.metrics import Metrics
from penstock.runtime.opening import Opening
from penstock.runtime.programs import BrokenDefinition
from penstock.runtime.shares import NotHeld, Shares
from penstock.runtime.suspending import suspend
from penstock.runtime.tasks import Tasks
from penstock.runtime.turn import Turn
from penstock.store.protocol import Store

_EVALUATIONS_AT_ONCE = 1_000
_LOADS_AT_ONCE = 32


class Turns:
    """`submit`, `ask`, `put` and `wake` are the only ways to move a run; `connect` comes before all of them.

    Runs that this engine does not own have no turns here, but for one that makes a new run for its owner to begin.
    What comes for them is turned away. Implements `penstock.runtime.commits.Stepping`.
    """

    def __init__(
        self,
        *,
        store: Store,
        shares: Shares,
        live: LiveRuns,
        opening: Opening,
        evaluator: Evaluator,
        clock: Clock,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.boxes = Mailboxes()
        self._store = store
        self._shares = shares
        self._live = live
        self._opening = opening
        self._evaluator = evaluator
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._accepting = True
        self._asked = 0
        self._guests: set[str] = set()
        """Runs that are made here for others to begin."""
        self._needing: deque[Turn] = deque()
        self._some_needs = asyncio.Event()
        self._idle = asyncio.Event()
        self._evaluating = asyncio.Semaphore(_EVALUATIONS_AT_ONCE)
        self._loading = asyncio.Semaphore(_LOADS_AT_ONCE)
        self._tasks = Tasks(log)
        metrics.runs_waiting.set_function(lambda: self.boxes.ready_count)
        metrics.runs_cached.set_function(lambda: len(live))

    def connect(self, aftermath: Aftermath) -> None:
        """Says what follows commits."""
        self._aftermath = aftermath
        self._leftovers = leftovers = Leftovers(self._store, self._log)
        self._endings = Endings(
            aftermath=aftermath,
            boxes=self.boxes,
            live=self._live,
            leftovers=leftovers,
            metrics=self._metrics,
            owns=self._shares.owns,
            close=self.close,
        )
        self._commits = Commits(
            store=self._store,
            live=self._live,
            stepping=self,
            endings=self._endings,
            aftermath=aftermath,
            leftovers=leftovers,
            tasks=self._tasks,
            metrics=self._metrics,
            log=self._log,
        )

    # The ways in

    def submit(self, run_id: str, message: Message) -> None:
        """Puts a message behind the others of the run, wherever it is."""
        self.put(run_id, Queued(message))

    def put(self, run_id: str, item: Queued) -> None:
        """The same, for a message that is in the store, too."""
        if self._shares.owns(run_id):
            self.boxes.add(run_id, item)
        else:
            self._aftermath.turned_away(run_id, (item,))

    async def ask(self, run_id: str, message: Message, origin: Origin | None = None) -> TurnResult:
        """Puts a message behind the others; returns when its turn is on disk.

        Raises `NotHeld` when another node moves the run, `InfrastructureError` when the engine is stopping, the store
        cannot be written, or too many wait already.
        """
        self._check(run_id, guest=origin is not None and origin.unowned)
        waiter: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()
        if origin is not None and origin.unowned:
            self._guests.add(run_id)
        self._asked += 1
        try:
            self.boxes.add(run_id, Queued(message, origin=origin, waiter=waiter))
            return await waiter
        finally:
            self._asked -= 1
            self._guests.discard(run_id)

    def _check(self, run_id: str, *, guest: bool) -> None:
        if not self._accepting:
            raise InfrastructureError("the engine is stopping")
        if self._commits.failing:
            raise InfrastructureError("the store cannot be written; try again")
        if self._asked >= limits.MAX_REQUESTS_WAITING:
            raise InfrastructureError(f"{limits.MAX_REQUESTS_WAITING} requests wait for the store; try again")
        if not guest and not self._shares.owns(run_id):
            raise NotHeld(run_id)

    def wake(self, run_id: str) -> None:
        """Asks for a look at the deadlines of the run."""
        if self._shares.owns(run_id):
            self.boxes.wake(run_id)

    def lost(self) -> None:
        """Turns away what waits for runs that are no longer owned; their turns under way end as they end."""
        for run_id, items in self.boxes.turn_out(lambda run_id: not self._stays(run_id)):
            self._aftermath.turned_away(run_id, items)

    def judge_again(self) -> None:
        """Forgets which messages had no meaning: others had the runs meanwhile."""
        self._aftermath.forget(self._leftovers.take())

    async def quiet(self, among: Callable[[str], bool]) -> None:
        """Returns when none of these runs has a turn under way."""
        while self.boxes.any_busy(among):
            self._idle.clear()
            await self._idle.wait()

    async def caught_up(self, run_id: str) -> None:
        """Returns when no message waits for the run."""
        while self.boxes.expects(run_id):
            self._idle.clear()
            await self._idle.wait()

    def _stays(self, run_id: str) -> bool:
        return self._shares.owns(run_id) or run_id in self._guests

    def hold(self, run_id: str, items: Sequence[Queued]) -> None:
        """Keeps events for a later listener of the run."""
        if self._shares.owns(run_id):
            self.discard(self.boxes.hold(run_id, items))
        else:
            self._aftermath.turned_away(run_id, items)

    def discard(self, items: Iterable[Queued]) -> None:
        """Forgets inbox messages that mean nothing any more."""
        self._endings.discard(items)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something beside the loops, as part of this engine."""
        self._tasks.spawn(work)

    def start(self) -> None:
        for loop in (self._step_loop, self._evaluate_loop, self._commits.run, self._discard_loop):
            self._tasks.keep(loop)

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
        await self._tasks.stop()

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
            await self._commits.room()

    def _begin(self, run_id: str) -> None:
        mail, wake = self.boxes.open(run_id)
        turn = Turn(run_id, mail, wake=wake, base=self._live.cached(run_id), clock=self._clock)
        if not self._commits.doubts(run_id) and self._opening.at_once(turn):
            self._advance(turn)
        else:
            self._tasks.spawn(self._begin_slowly(turn))

    async def _begin_slowly(self, turn: Turn) -> None:
        async with self._loading:
            try:
                await self._opening.complete(turn)
            except BrokenDefinition as error:
                self.isolate(turn, str(error))
                return
            except InfrastructureError as error:
                self._log.warning("run cannot be read", run_id=turn.run_id, reason=str(error))
                await asyncio.sleep(limits.COMMIT_BACKOFF_MS / 1000)
                self.again(turn)
                return
            except Exception as error:  # bulkhead: one run that cannot be read does not stop the others
                self.fail(turn, error)
                return
        self._advance(turn)

    def _advance(self, turn: Turn, answers: list[Answer] | None = None) -> None:
        try:
            done = turn.advance(answers or ())
        except Exception as error:  # bulkhead: one run that cannot be stepped does not stop the others
            self.fail(turn, error)
            return
        if done:
            self._commits.add(turn)
        else:
            self._needing.append(turn)
            self._some_needs.set()

    # Where turns go that do not end well

    def fail(self, turn: Turn, error: Exception) -> None:
        """Isolates the run for an error inside the engine."""
        self._log.error("turn failed", run_id=turn.run_id, exc_info=error)
        # The message stays out: it may quote what the run holds.
        self.isolate(turn, f"the engine could not process this run ({type(error).__name__}); see its log")

    def isolate(self, turn: Turn, reason: str) -> None:
        """Suspends the run from its last state on disk, in place of everything that this turn did."""
        if turn.failure:
            self.give_up(turn, reason)
            return
        fresh = Turn(turn.run_id, turn.mail, wake=False, base=turn.base, clock=self._clock)
        fresh.program = turn.program
        self._metrics.suspended.inc()
        try:
            suspend(fresh, reason)
            self._commits.add(fresh)
        except Exception as error:  # bulkhead: what cannot even be suspended stays as it is on disk
            self._log.error("run cannot be suspended", run_id=turn.run_id, exc_info=error)
            self.give_up(turn, reason)

    def give_up(self, turn: Turn, reason: str) -> None:
        """Leaves the run as it is on disk. Its messages stay in the store's inbox for the next start."""
        self._log.error("run left alone", run_id=turn.run_id, reason=reason)
        for item in turn.mail:
            item.refuse(InfrastructureError(reason))
        self._live.drop(turn.run_id)
        self.close(turn)

    def again(self, turn: Turn) -> None:
        """Gives the messages back and begins the turn anew."""
        self.boxes.put_back(turn.run_id, turn.mail, wake=True)
        self.close(turn)

    def close(self, turn: Turn) -> None:
        """Ends the turn: the run may have another one."""
        if not self._shares.owns(turn.run_id):
            self._live.drop(turn.run_id)
        if not self._stays(turn.run_id):
            self._aftermath.turned_away(turn.run_id, self.boxes.empty(turn.run_id))
        self.boxes.close(turn.run_id)
        self._idle.set()

    async def _discard_loop(self) -> None:
        await self._leftovers.run(self._aftermath.consumed)

    # Evaluating

    async def _evaluate_loop(self) -> None:
        while True:
            await self._some_needs.wait()
            while self._needing:
                await self._evaluating.acquire()
                self._tasks.spawn(self._evaluate(self._needing.popleft()))
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
            self.fail(turn, error)
        return None
