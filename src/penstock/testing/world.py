"""One simulated world per seed: the production engine among faults, first without, then with an end to them.

First *safety*: everything may fail, and the rules of the oracle must hold. Then *liveness*: nothing fails any more,
no engine is restarted, and everything that can end has to. The same seed gives the same trace.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final, TypeVar

import msgspec

from penstock.errors import Conflict
from penstock.kernel import Program, Resources, compile_program
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished
from penstock.kernel.values import Value
from penstock.model import load_data
from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.edges import Edges
from penstock.runtime.envelopes import unpack_state
from penstock.runtime.metrics import Metrics
from penstock.runtime.settings import Settings
from penstock.store.sqlite import reads
from penstock.testing.actors import Actors
from penstock.testing.clock import SimulatedClock, SimulatedIds, WallClock
from penstock.testing.expressions import SimulatedWorkers
from penstock.testing.faults import WeatherFaults
from penstock.testing.host import Host, SimulatedEngine
from penstock.testing.ingredients import NAMESPACE
from penstock.testing.loop import SimulatedLoop, Stuck
from penstock.testing.oracle import Oracle, Violation
from penstock.testing.services import SimulatedServices
from penstock.testing.store import SimulatedDisk, SimulatedStore
from penstock.testing.trace import Trace
from penstock.testing.weather import CALM, Weather, weather_of_seed
from penstock.testing.workflows import Plan, generate
from penstock.testing.workload import Start, Workload, workload_of
from penstock.tools.contract import Outcome

T = TypeVar("T")

SAFETY_S: Final = 45.0
LIVENESS_S: Final = 3_600.0
"""What every run that can end has, once nothing fails any more: more than all its waits together."""
_LOOK_S: Final = 2.0
_ENDING_S: Final = 180.0
_SETTLING_S: Final = 10.0
"""Longer than the slowest operation that began in bad weather."""
_KEY: Final = "c2ltdWxhdGVkIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="
_SUSPICIOUS: Final = frozenset(
    {
        "turn failed",
        "run cannot be suspended",
        "run left alone",
        "task of the turn loop failed",
        "turn loop failed",
        "routing failed",
        "event cannot be matched",
        "inbox row cannot be read",
        "store refused a turn",
        "call failed inside the engine",
    }
)


class Verdict(msgspec.Struct, frozen=True):
    """What a seed showed. `outputs` are those of steady runs by their key."""

    seed: int
    violations: tuple[Violation, ...]
    trace: tuple[str, ...]
    digest: str
    outputs: dict[str, Json]
    turns: int
    crashes: int
    simulated_s: float

    @property
    def good(self) -> bool:
        return not self.violations


class World:
    """Everything of one simulation; implements what services and store faults ask of their surroundings."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.seed = seed
        self.weather = weather
        self.loop = SimulatedLoop(self._random("ties").random)
        self.trace = Trace(self.loop)
        self.disk = SimulatedDisk()
        self.wall = WallClock(self.loop)
        self._clock = SimulatedClock(self.wall)
        self._metrics = Metrics()
        self._faults = WeatherFaults(self, self._random("store"))
        self._services = SimulatedServices(self, self._random("services"))
        self._ids = SimulatedIds(self._random("ids"))
        self._log = self.trace.logger(self._noticed)
        workload = self._random("workload")
        plans = generate(workload, 5)
        self.workload: Workload = workload_of(workload, plans, starts=8, over_s=SAFETY_S / 2)
        self._programs = {plan.name: _program(plan) for plan in plans}

    def _random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that one more fault does not change the workload."""
        return Random(f"{self.seed}/{purpose}")

    # What others ask of the world

    async def crash(self) -> None:
        self.host.crash("in an operation")
        await self.loop.create_future()

    def dispatched(self, run_id: str, invoke: Invoke) -> None:
        self.trace.note(f"service: {invoke.reference} {invoke.call_id}")
        self.oracle.dispatched(run_id, invoke)

    def answer_again(self, run_id: str, call_id: str, outcome: Outcome, after_s: float) -> None:
        if (engine := self.host.engine) is None:
            return
        output, fault = (outcome, None) if isinstance(outcome, Value) else (None, outcome)

        def bring() -> None:
            self.trace.note(f"service: {call_id} answers again")
            engine.bring(run_id, CallFinished(at=0, call_id=call_id, output=output, fault=fault))

        self.loop.call_later(after_s, bring)

    async def request(self, ask: Callable[[SimulatedEngine], Awaitable[T]]) -> T:
        return await self.host.request(ask)

    def _noticed(self, event: str, error: BaseException | None) -> None:
        if event in _SUSPICIOUS:
            self.oracle.violate("no bulkhead is needed", f"{event}: {type(error).__name__}: {error}")

    def _build(self) -> SimulatedEngine:
        self.oracle.inbox.booted()
        self._clock = SimulatedClock(self.wall)
        settings = Settings(store="memory:", key=_KEY)
        store = SimulatedStore(self.disk, self._faults, self.oracle)
        edges = Edges(performer=self._services, workers=SimulatedWorkers(self._faults.pause))
        return SimulatedEngine(
            settings,
            clock=self._clock,
            ids=self._ids,
            store=store,
            metrics=self._metrics,
            log=self._log,
            edges=edges,
        )

    def _now_ms(self) -> int:
        """By the clock of the engine."""
        return self._clock.now_ms()

    def _program_of(self, identity: WorkflowIdentity) -> Program:
        return self._programs[identity.name]

    # The simulation

    def run(self) -> Verdict:
        """The verdict of this seed in this weather."""
        try:
            self.loop.run(self._live())
        except Stuck as error:
            self.oracle.violate("something goes on", str(error))
        except Exception as error:  # whatever a client sees that it should not see is a finding
            self.oracle.violate("clients see no surprise", f"{type(error).__name__}: {error}")
        self.oracle.violations += [Violation("nothing fails unseen", failure) for failure in self.loop.failures]
        outputs = self._outputs()
        self._compare_retried(outputs)
        for violation in self.oracle.violations:
            self.trace.note(f"VIOLATION {violation}")
        verdict = Verdict(
            self.seed,
            tuple(self.oracle.violations),
            tuple(self.trace.lines),
            self.trace.digest,
            outputs,
            self.oracle.turns,
            self.host.crashes,
            self.loop.time(),
        )
        self.loop.close()
        self.disk.close()
        return verdict

    async def _live(self) -> None:
        self.host = Host(self.loop, self.trace, self._random("host"), self._build)
        self.oracle = Oracle(self.disk, self.trace, lambda: self.host.process, self._now_ms, self._program_of)
        self.actors = Actors(self, self.oracle, self.trace, self._random("actors"), self.workload)
        supervising = asyncio.create_task(self.host.supervise())
        acting = asyncio.create_task(self.actors.act())
        troubles = (
            self._crashes(),
            self._stops(),
            self._clock_steps(self.weather.clock_steps_every_s, 1),
            self._clock_steps(self.weather.clock_back_every_s, -1),
        )
        trouble = [asyncio.create_task(work) for work in troubles]
        await asyncio.sleep(SAFETY_S)
        for task in trouble:
            task.cancel()
        self.weather = msgspec.structs.replace(CALM, latency_ms=min(self.weather.latency_ms, 5.0))
        self.trace.note("the weather clears up")
        await self._liveness(acting)
        supervising.cancel()

    async def _liveness(self, acting: "asyncio.Task[None]") -> None:
        try:
            async with asyncio.timeout(LIVENESS_S):
                await acting
        except TimeoutError:
            self.oracle.violate("every request is answered", f"not within {LIVENESS_S:.0f} s")
            return
        except ExceptionGroup as group:
            self.oracle.violate("clients see no surprise", "; ".join(repr(one) for one in group.exceptions))
            return
        waited = await self._ended(lambda: not self._unended_steady(), LIVENESS_S)
        for run_id in self._unended_steady() if not waited else ():
            self.oracle.violate("what can end ends", run_id)
        for run_id in self.oracle.unended() if not waited else ():
            self.trace.note(f"unended {run_id}: {self._status(run_id)}")
        await self._cancel_the_rest()
        if not await self._ended(lambda: not self.oracle.unended(), _ENDING_S):
            self.oracle.violate("every run ends", str(self.oracle.unended()))
            return
        await self._sweep_up()
        self.oracle.finish(start.key for start in self.workload.starts)

    async def _ended(self, done: Callable[[], bool], within_s: float) -> bool:
        until = self.loop.time() + within_s
        while not done() and self.loop.time() < until:  # noqa: ASYNC110 - the disk is looked at, not told by it
            await asyncio.sleep(_LOOK_S)
        return done()

    def _unended_steady(self) -> list[str]:
        """Steady runs, and those that retry one, that have not ended."""
        steady = {self.oracle.started.get(start.key) for start in self.workload.starts if start.steady}
        steady |= {run_id for run_id, retry_of in self.oracle.retried() if retry_of in steady}
        return sorted(run_id for run_id in self.oracle.unended() if run_id in steady)

    async def _cancel_the_rest(self) -> None:
        unended = set(self.oracle.unended())
        for run_id in sorted(unended):
            await self.actors.insist(f"cancel {run_id}", lambda engine, run_id=run_id: _cancelled(engine, run_id))

    async def _sweep_up(self) -> None:
        """Rows that mean nothing any more go with the next commit, whichever run's it is."""
        tiny = {"document": {"dsl": "1.0.3", "namespace": NAMESPACE, "name": "tiny", "version": "1.0.0"}}
        document = tiny | {"do": [{"one": {"set": {"n": 1}}}]}
        await self.actors.insist("deploy tiny", lambda engine: engine.deploy(document))
        self._programs["tiny"] = _compiled(document)
        for number in range(2):
            await asyncio.sleep(_SETTLING_S)
            await self.actors.start(Start(at_s=0.0, key=f"tiny-{number}", workflow="tiny"))
        await self._ended(lambda: not self.oracle.unended(), _ENDING_S)

    # Trouble

    async def _crashes(self) -> None:
        random = self._random("crashes")
        while self.weather.crash_every_s:
            await asyncio.sleep(random.expovariate(1 / self.weather.crash_every_s))
            self.host.crash_soon(int(random.expovariate(0.1)))

    async def _stops(self) -> None:
        random = self._random("stops")
        while self.weather.stop_every_s:
            await asyncio.sleep(random.expovariate(1 / self.weather.stop_every_s))
            await self.host.stop()

    async def _clock_steps(self, every_s: float, direction: int) -> None:
        random = self._random(f"clock {direction}")
        while every_s:
            await asyncio.sleep(random.expovariate(1 / every_s))
            step_ms = direction * random.choice([1, 50, 1_000, 20_000, 90_000])
            self.trace.note(f"the clock steps by {step_ms} ms")
            self.wall.step(step_ms)

    # What came of it

    def _status(self, run_id: str) -> str:
        """Where a run stands, for people."""
        stored = reads.load_run(self.disk.session, run_id)
        if stored is None:
            return "lost"
        state, _, _ = unpack_state(stored.state)
        frames = ", ".join(f"{frame.entry}: {frame.phase}" for frame in state.frames.values())
        waiting = [row.seq for row in reads.inbox(self.disk.session, 0, 1_000) if row.run_id == run_id]
        return (
            f"{stored.run.status} at version {stored.version}, next_at {stored.run.next_at} of {self.wall.now_ms()}, "
            f"runnable {state.runnable}, frames {{{frames}}}, inbox {waiting}"
        )

    def _outputs(self) -> dict[str, Json]:
        """Status and output of every steady start."""
        found: dict[str, Json] = {}
        for start in self.workload.starts:
            run_id = self.oracle.started.get(start.key)
            if start.steady and run_id and (outcome := self._outcome(run_id)) is not None:
                found[start.key] = outcome
        return found

    def _outcome(self, run_id: str) -> Json:
        stored = reads.load_run(self.disk.session, run_id)
        if stored is None:
            return None
        state, missing, _ = unpack_state(stored.state)
        values = reads.load_values(self.disk.session, run_id, [value.digest for value in missing])
        for value in missing:
            value.load(values[value.digest])
        output = state.output.data if state.output else (state.error.title if state.error else None)
        return [state.status, output]

    def _compare_retried(self, outputs: dict[str, Json]) -> None:
        """A retried steady run does again what the first one did."""
        keys = {self.oracle.started[key]: key for key in outputs}
        for run_id, retry_of in self.oracle.retried():
            wanted = outputs.get(keys.get(retry_of, ""))
            if wanted is not None and (outcome := self._outcome(run_id)) != wanted:
                self.oracle.violate("a retried run ends like the first", f"{run_id}: {outcome} instead of {wanted}")


async def _cancelled(engine: SimulatedEngine, run_id: str) -> None:
    with suppress(Conflict):  # it ended by itself meanwhile
        await engine.cancel(run_id)


def _program(plan: Plan) -> Program:
    return _compiled(plan.document)


def _compiled(document: dict[str, Json]) -> Program:
    loaded = load_data(document)
    if loaded.workflow is None:
        raise ValueError(f"a generated workflow does not load: {loaded.diagnostics}")
    return compile_program(loaded.workflow, Resources({}))


def simulate(seed: int, weather: Weather | None = None) -> Verdict:
    """Runs a seed in its own weather and compares its steady runs with those of a good day."""
    calm = World(seed, CALM).run()
    if not calm.good:
        return calm
    verdict = World(seed, weather or weather_of_seed(seed)).run()
    different = [
        Violation("faults do not change what comes out", f"{key}: {verdict.outputs.get(key)} instead of {output}")
        for key, output in calm.outputs.items()
        if verdict.outputs.get(key) != output
    ]
    lines = (*verdict.trace, *(f"VIOLATION {violation}" for violation in different))
    return msgspec.structs.replace(verdict, violations=(*verdict.violations, *different), trace=lines)
