"""Who uses the engine from outside: starts runs, publishes events, suspends and cancels; and asks until answered."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol, TypeVar

import msgspec

from penstock.errors import Conflict, InfrastructureError, NotFound
from penstock.model.json_value import Json
from penstock.testing.host import Disconnected, Host, SimulatedEngine
from penstock.testing.oracle import Oracle
from penstock.testing.trace import Trace
from penstock.testing.weather import Weather
from penstock.testing.workflows import NAMESPACE, Plan

T = TypeVar("T")

_TTL_S: Final = 80_000


class Start(msgspec.Struct, frozen=True):
    """A run to start: when (seconds), what, and the idempotency key, which is also its order."""

    at_s: float
    key: str
    workflow: str
    n: int
    steady: bool


class Publication(msgspec.Struct, frozen=True):
    """An event to publish, `copies` times."""

    at_s: float
    event: dict[str, Json]
    copies: int


class Control(msgspec.Struct, frozen=True):
    """Suspends the run of a start, or cancels it, some time after it was acknowledged."""

    key: str
    after_s: float
    held_s: float
    cancel: bool


class Workload(msgspec.Struct, frozen=True):
    """All that is asked from outside."""

    plans: tuple[Plan, ...]
    starts: tuple[Start, ...]
    publications: tuple[Publication, ...]
    controls: tuple[Control, ...]


class Surroundings(Protocol):
    @property
    def weather(self) -> Weather: ...


def workload_of(random: Random, plans: list[Plan], *, starts: int, over_s: float) -> Workload:
    """Starts of the plans, and every event that their steady runs wait for: before, while or after they listen."""
    begun: list[Start] = []
    published: list[Publication] = []
    controls: list[Control] = []
    for number in range(starts):
        plan = random.choice(plans)
        start = Start(random.random() * over_s, f"order-{number}", plan.name, random.randint(0, 50), plan.steady)
        begun.append(start)
        for type_, count in plan.waits_for.items():
            if plan.steady or random.random() < 0.6:
                published += [_publication(random, start, type_, place, over_s) for place in range(count)]
        if random.random() < 0.35:
            cancel = not plan.steady and random.random() < 0.5
            controls.append(Control(start.key, random.random() * over_s / 2, random.random() * 8, cancel))
    noise = Start(0.0, "nobody", "", 0, False)
    published += [_publication(random, noise, random.choice(_types(plans)), 9, over_s) for _ in range(3)]
    return Workload(tuple(plans), tuple(begun), tuple(published), tuple(controls))


def _types(plans: list[Plan]) -> list[str]:
    return [type_ for plan in plans for type_ in plan.waits_for] or ["nothing"]


def _publication(random: Random, start: Start, type_: str, place: int, over_s: float) -> Publication:
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": f"{start.key}/{type_}/{place}",
        "source": "/outside",
        "type": type_,
        "penstockttl": _TTL_S,
        "data": {"order": start.key, "n": 1 + start.n},
    }
    at_s = max(0.0, start.at_s + random.uniform(-over_s / 4, over_s / 2))
    return Publication(at_s, event, random.choice([1, 1, 2, 3]))


class Actors:
    """Each is a task of its own; all of them are done when everything was acknowledged."""

    def __init__(
        self, host: Host, world: Surroundings, oracle: Oracle, trace: Trace, random: Random, workload: Workload
    ) -> None:
        self._host = host
        self._world = world
        self._oracle = oracle
        self._trace = trace
        self._random = random
        self._workload = workload
        self._acknowledged = {start.key: asyncio.Event() for start in workload.starts}

    async def act(self) -> None:
        """Everything of the workload. Raises what no client should ever see."""
        for plan in self._workload.plans:
            await self.insist(f"deploy {plan.name}", lambda engine, plan=plan: engine.deploy(plan.document))
        async with asyncio.TaskGroup() as group:
            for start in self._workload.starts:
                group.create_task(self._start(start))
            for publication in self._workload.publications:
                group.create_task(self._publish(publication))
            for control in self._workload.controls:
                group.create_task(self._control(control))

    async def insist(self, what: str, ask: Callable[[SimulatedEngine], Awaitable[T]]) -> T:
        """Asks again until there is an answer."""
        while True:
            try:
                answer = await self._host.request(ask)
                if self._random.random() >= self._world.weather.reply_lost:
                    self._trace.note(f"client: {what}")
                    return answer
            except (Disconnected, InfrastructureError):
                pass
            await asyncio.sleep(0.2 + self._random.random())

    async def start(self, start: Start) -> str:
        """The run of a start."""
        view = await self.insist(
            f"start {start.key} of {start.workflow}",
            lambda engine: engine.start_run(
                NAMESPACE,
                start.workflow,
                "latest",
                {"n": start.n, "order": start.key},
                labels={"start": start.key},
                idempotency_key=start.key,
            ),
        )
        before = self._oracle.started.setdefault(start.key, view.id)
        if before != view.id:
            self._oracle.violate("a key starts one run", f"{start.key}: {before} and {view.id}")
        return view.id

    async def _start(self, start: Start) -> None:
        await asyncio.sleep(start.at_s)
        impatient = [self.start(start) for _ in range(self._random.choice([1, 1, 2, 3]))]
        await asyncio.gather(*impatient)
        self._acknowledged[start.key].set()

    async def _publish(self, publication: Publication) -> None:
        await asyncio.sleep(publication.at_s)
        for _ in range(publication.copies):
            name = publication.event["id"]
            await self.insist(f"publish {name}", lambda engine: engine.publish([publication.event]))
            await asyncio.sleep(self._random.random() * 3)

    async def _control(self, control: Control) -> None:
        await self._acknowledged[control.key].wait()
        await asyncio.sleep(control.after_s)
        run_id = self._oracle.started[control.key]
        try:
            if control.cancel:
                await self.insist(f"cancel {control.key}", lambda engine: engine.cancel(run_id))
                return
            await self.insist(f"suspend {control.key}", lambda engine: engine.suspend(run_id))
            await asyncio.sleep(control.held_s)
            await self.insist(f"resume {control.key}", lambda engine: engine.resume(run_id))
        except (Conflict, NotFound) as error:
            self._trace.note(f"client: {control.key}: {error}")
            if isinstance(error, NotFound):
                self._oracle.violate("what was acknowledged is never lost", str(error))
