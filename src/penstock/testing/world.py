"""One simulated world per seed: the production engine among faults, first without, then with an end to them.

First *safety*: everything may fail, and the rules of the oracle must hold. Then *liveness*: nothing fails any more,
no engine is restarted, and everything that can end has to. The same seed gives the same trace.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from string import ascii_lowercase
from typing import Final, TypeVar

import msgspec

from penstock.errors import Conflict
from penstock.kernel import Program, Resources, compile_program
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished
from penstock.kernel.values import Value
from penstock.model import load_data
from penstock.model.json_value import Json
from penstock.model.limits import PARTITIONS
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.clock import Ids
from penstock.runtime.envelopes import unpack_state
from penstock.store.partitions import partition_of
from penstock.store.protocol import Store
from penstock.store.rows import RunCommit
from penstock.store.sqlite import reads
from penstock.testing.actors import Actors
from penstock.testing.clock import BEGAN_AT, SimulatedIds
from penstock.testing.faults import NodeLink
from penstock.testing.host import Disconnected, SimulatedEngine
from penstock.testing.ingredients import NAMESPACE
from penstock.testing.loop import SimulatedLoop, Stuck, current_process
from penstock.testing.network import Network
from penstock.testing.node import Node
from penstock.testing.oracle import Oracle, Violation
from penstock.testing.services import SimulatedServices
from penstock.testing.shared_store import SharedStore
from penstock.testing.store import SimulatedDisk, SimulatedStore
from penstock.testing.trace import Trace
from penstock.testing.trouble import Trouble
from penstock.testing.weather import Weather, weather_of_seed
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
_PATIENCE_S: Final = 30.0
"""After so long a client asks somebody else."""
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
    repeated: int
    """Requests to services beyond the first with their key."""
    simulated_s: float

    @property
    def good(self) -> bool:
        return not self.violations


class World:
    """Everything of one simulation; implements what services and store faults ask of their surroundings."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.seed = seed
        self.weather = weather
        self.clear = False
        self.loop = SimulatedLoop(self.random("ties").random)
        self.trace = Trace(self.loop)
        self.disk = SimulatedDisk()
        self.services = SimulatedServices(self, self.random("services"))
        self.ids: Ids = SimulatedIds(self.random("ids"))
        self.log = self.trace.logger(self._noticed)
        self._network = Network(self, self.random("network"))
        self._clients = self.random("clients")
        workload = self.random("workload")
        plans = generate(workload, 5)
        self.workload: Workload = workload_of(workload, plans, starts=8, over_s=SAFETY_S / 2)
        self._programs = {plan.name: _program(plan) for plan in plans}

    @property
    def shared(self) -> bool:
        """Whether engines share the disk as members."""
        return self.weather.nodes > 0

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that one more fault does not change the workload."""
        return Random(f"{self.seed}/{purpose}")

    # What others ask of the world

    def store(self, link: NodeLink) -> Store:
        if not self.shared:
            return SimulatedStore(self.disk, link, self.oracle)
        return SharedStore(self.disk, link, self.oracle, self._network, self._disk_now_ms)

    async def crash(self) -> None:
        if (node := self._running()) is not None:
            node.host.crash("in an operation")
        await self.loop.create_future()

    def dispatched(self, run_id: str, invoke: Invoke) -> None:
        self.trace.note(f"service: {invoke.reference} {invoke.call_id}")
        self.oracle.dispatched(run_id, invoke)

    def answer_again(self, run_id: str, call_id: str, outcome: Outcome, after_s: float) -> None:
        if (node := self._running()) is None or (engine := node.host.engine) is None:
            return
        output, fault = (outcome, None) if isinstance(outcome, Value) else (None, outcome)

        def bring() -> None:
            self.trace.note(f"service: {call_id} answers again")
            engine.bring(run_id, CallFinished(at=0, call_id=call_id, output=output, fault=fault))

        self.loop.call_later(after_s, bring)

    async def request(self, ask: Callable[[SimulatedEngine], Awaitable[T]]) -> T:
        """Asks any of the nodes. Raises `Disconnected`."""
        node = self._clients.choice(self.nodes)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await node.host.request(ask)
        except TimeoutError:
            raise Disconnected("no answer for too long") from None

    def wrong(self, node: str, turn: RunCommit) -> str | None:
        """Of the process that runs now: why it must not write this turn."""
        process, running = current_process(), self._running()
        if process is None or running is None or not process.alive:
            return f"{process and process.name} is not there"
        if turn.unowned and turn.expected_version == 0:
            return None if turn.run.status == "pending" else f"it was created as {turn.run.status} for somebody else"
        return self.not_held(node, turn.run.id)

    def not_held(self, node: str, run_id: str) -> str | None:
        """Why this member must not move this run at this instant."""
        if not self.shared:
            return None
        owner = self.disk.members.owners[partition_of(run_id)]
        return None if owner == node else f"{node} wrote, but {owner or 'nobody'} holds it"

    def now_ms(self) -> int:
        """By the clock of the process that runs now."""
        node = self._running()
        return node.clock.now_ms() if node else self._disk_now_ms()

    def _running(self) -> Node | None:
        process = current_process()
        return next((node for node in self.nodes if node.host.process is process), None)

    def _disk_now_ms(self) -> int:
        return BEGAN_AT + int(self.loop.time() * 1000)

    def _noticed(self, event: str, error: BaseException | None) -> None:
        if event in _SUSPICIOUS:
            self.oracle.violate("no bulkhead is needed", f"{event}: {type(error).__name__}: {error}")

    def _booted(self) -> None:
        if not self.shared:
            self.oracle.inbox.taken_up()

    def _taken(self, node: str, partitions: frozenset[int]) -> None:
        self.trace.note(f"{node} takes {len(partitions)} partitions")
        self.oracle.inbox.taken_up(partitions)

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
            sum(node.host.crashes for node in self.nodes),
            sum(count - 1 for count in self.oracle.dispatches.values()),
            self.loop.time(),
        )
        self.loop.close()
        self.disk.close()
        return verdict

    async def _live(self) -> None:
        self.oracle = Oracle(self.disk, self.trace, self, self._program_of, ordered=self.weather.answers)
        self.nodes = self._machines()
        self.disk.members.taken = self._taken
        self.actors = Actors(self, self.oracle, self.trace, self.random("actors"), self.workload)
        supervising = [asyncio.create_task(node.host.supervise()) for node in self.nodes]
        acting = asyncio.create_task(self.actors.act())
        trouble = [asyncio.create_task(work) for node in self.nodes for work in Trouble(self, node).works()]
        await asyncio.sleep(SAFETY_S)
        for task in trouble:
            task.cancel()
        await asyncio.gather(*trouble, return_exceptions=True)
        self.weather = msgspec.structs.replace(self.weather.calm, latency_ms=min(self.weather.latency_ms, 5.0))
        self.clear = True
        self.trace.note("the weather clears up")
        await self._liveness(acting)
        for task in supervising:
            task.cancel()

    def _machines(self) -> list[Node]:
        if not self.shared:
            return [Node(self, "engine", engine=True, booted=self._booted)]
        engines = [f"engine {letter}" for letter in ascii_lowercase[: self.weather.nodes]]
        others = [f"api {letter}" for letter in ascii_lowercase[: self.weather.api_nodes]]
        return [Node(self, name, engine=name in engines, booted=self._booted) for name in (*engines, *others)]

    async def _liveness(self, acting: "asyncio.Task[None]") -> None:
        try:
            async with asyncio.timeout(LIVENESS_S):
                await acting
        except TimeoutError:
            self.oracle.violate("every request is answered", f"not within {LIVENESS_S:.0f} s")
            self._tell_unended()
            return
        except ExceptionGroup as group:
            self.oracle.violate("clients see no surprise", "; ".join(repr(one) for one in group.exceptions))
            return
        waited = await self._ended(lambda: not self._unended_steady(), LIVENESS_S)
        for run_id in self._unended_steady() if not waited else ():
            self.oracle.violate("what can end ends", run_id)
        if not waited:
            self._tell_unended()
        if not await self._cancel_the_rest():
            self.oracle.violate("every run ends", str(self.oracle.unended()))
            return
        await self._sweep_up()
        self._check_even()
        self.oracle.finish(start.key for start in self.workload.starts)

    def _check_even(self) -> None:
        """Every engine holds its part."""
        if not self.shared:
            return
        members = self.disk.members
        parts = sorted(len(members.held(node)) for node in members.engines)
        even = [(PARTITIONS + place) // self.weather.nodes for place in range(self.weather.nodes)]
        if parts != even:
            self.oracle.violate("partitions are even", f"{parts} instead of {even}")

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

    async def _cancel_the_rest(self) -> bool:
        """Until there is nothing left to cancel: a run that is cancelled may have just begun another one."""
        until = self.loop.time() + _ENDING_S
        while (unended := self.oracle.unended()) and self.loop.time() < until:
            for run_id in sorted(unended):
                await self.actors.insist(f"cancel {run_id}", lambda engine, run_id=run_id: _cancelled(engine, run_id))
            await asyncio.sleep(_LOOK_S)
        return not unended

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

    # What came of it

    def _tell_unended(self) -> None:
        for run_id in self.oracle.unended():
            self.trace.note(f"unended {run_id}: {self._status(run_id)}")

    def _status(self, run_id: str) -> str:
        """Where a run stands, for people."""
        stored = reads.load_run(self.disk.session, run_id)
        if stored is None:
            return "lost"
        state, _, _ = unpack_state(stored.state)
        frames = ", ".join(f"{frame.entry}: {frame.phase}" for frame in state.frames.values())
        waiting = [row.seq for row in reads.inbox(self.disk.session, 0, 1_000) if row.run_id == run_id]
        return (
            f"{stored.run.status} at version {stored.version}, next_at {stored.run.next_at} of {self._disk_now_ms()}, "
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
    weather = weather or weather_of_seed(seed)
    calm = World(seed, weather.calm).run()
    if not calm.good:
        return calm
    verdict = World(seed, weather).run()
    different = [
        Violation("faults do not change what comes out", f"{key}: {verdict.outputs.get(key)} instead of {output}")
        for key, output in calm.outputs.items()
        if verdict.outputs.get(key) != output
    ]
    lines = (*verdict.trace, *(f"VIOLATION {violation}" for violation in different))
    return msgspec.structs.replace(verdict, violations=(*verdict.violations, *different), trace=lines)
