"""Who uses the engine from outside: starts runs, publishes events, suspends and cancels; and asks until answered."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol, TypeVar

from penstock.errors import Conflict, InfrastructureError, NotFound
from penstock.kernel.state import ENDED
from penstock.model.json_value import Json
from penstock.runtime.views import RunView
from penstock.testing.clock import BEGAN_AT
from penstock.testing.host import Disconnected, SimulatedEngine
from penstock.testing.ingredients import NAMESPACE
from penstock.testing.oracle import Oracle
from penstock.testing.trace import Trace
from penstock.testing.weather import Weather
from penstock.testing.workload import Cancellation, Control, Hold, Publication, Retrial, Start, Workload

T = TypeVar("T")

_LOOK_S: Final = 3.0
_LATE_LOOKS: Final = 6
"""For longer than a request of bad weather may be under way."""


class Surroundings(Protocol):
    @property
    def weather(self) -> Weather: ...

    @property
    def clear(self) -> bool:
        """Whether the bad weather is over."""
        ...

    async def request(self, ask: Callable[[SimulatedEngine], Awaitable[T]]) -> T:
        """Asks some engine, over a network that takes time. Raises `Disconnected`."""
        ...


class Actors:
    """Each is a task of its own; all of them are done when everything was acknowledged."""

    def __init__(self, world: Surroundings, oracle: Oracle, trace: Trace, random: Random, workload: Workload) -> None:
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
        """Asks again until there is an answer; `what` is told then, if it says anything."""
        while True:
            try:
                answer = await self._world.request(ask)
                if self._random.random() >= self._world.weather.reply_lost:
                    if what:
                        self._trace.note(f"client: {what}")
                    return answer
            except (Disconnected, InfrastructureError):
                pass
            await asyncio.sleep(0.2 + self._random.random())

    async def start(self, start: Start) -> str:
        """The run of a start."""
        given: dict[str, Json] = {"n": start.n, "order": start.key}
        if start.blob:
            given["blob"] = start.blob
        at = BEGAN_AT + int((start.at_s + start.later_s) * 1000) if start.later_s else None
        view = await self.insist(
            f"start {start.key} of {start.workflow}",
            lambda engine: engine.start_run(
                NAMESPACE,
                start.workflow,
                "latest",
                given,
                labels={"start": start.key},
                idempotency_key=start.key,
                at=at,
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
            match control:
                case Cancellation():
                    await self.insist(f"cancel {control.key}", lambda engine: engine.cancel(run_id))
                case Hold():
                    await self.insist(f"suspend {control.key}", lambda engine: engine.suspend(run_id))
                    await asyncio.sleep(control.held_s)
                    await self._resume(control.key, run_id)
                case Retrial():
                    await self._retry(control, run_id)
        except (Conflict, NotFound) as error:
            self._trace.note(f"client: {control.key}: {error}")
            if isinstance(error, NotFound):
                self._oracle.violate("what was acknowledged is never lost", str(error))

    async def _resume(self, key: str, run_id: str) -> None:
        """Resumes the run; and again if a request to suspend it, which nobody answered, is done only after that."""
        await self.insist(f"resume {key}", lambda engine: engine.resume(run_id))
        looks = _LATE_LOOKS
        while looks:
            await asyncio.sleep(_LOOK_S)
            looks -= self._world.clear
            view: RunView = await self.insist("", lambda engine: engine.get_run(run_id))
            if view.status in ENDED:
                return
            if view.status == "suspended":
                if not self._oracle.was_resumed(run_id):
                    self._oracle.violate("what is acknowledged is done", f"{run_id} was resumed, but it is suspended")
                    return
                await self.insist(f"resume {key} again", lambda engine: engine.resume(run_id))

    async def _retry(self, control: Retrial, run_id: str) -> None:
        waited_s = 0.0
        while not await self._has_ended(run_id):
            if control.patience_s is not None and waited_s > control.patience_s:
                return
            waited_s += _LOOK_S
            await asyncio.sleep(_LOOK_S)
        await self.insist(f"retry {control.key}", lambda engine: engine.retry(run_id))

    async def _has_ended(self, run_id: str) -> bool:
        view: RunView = await self.insist("", lambda engine: engine.get_run(run_id))
        return view.status in ENDED
