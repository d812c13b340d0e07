"""The services that simulated workflows call. They outlive engines, and remember every request by its key.

The path says how a service behaves: `steady` always answers in the end, `shaky` may fail in every way, `refuse`
fails always. What it answers depends on the request alone.
"""

import asyncio
from random import Random
from typing import Final, Protocol, cast

from penstock.errors import COMMUNICATION, Fault
from penstock.kernel.commands import Invoke
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.testing.weather import Weather
from penstock.tools.contract import CallContext, Outcome

ADDED: Final = 3
_BLOB: Final = "penstock " * 700


class World(Protocol):
    """What services and engine have between them."""

    @property
    def weather(self) -> Weather: ...

    def dispatched(self, run_id: str, invoke: Invoke) -> None:
        """A request with this key arrived."""
        ...

    async def crash(self) -> None:
        """Ends the engine that asks; never returns."""
        ...

    def answer_again(self, run_id: str, call_id: str, outcome: Outcome, after_s: float) -> None:
        """Brings the same answer once more."""
        ...


class SimulatedServices:
    """Implements `Performer`."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random

    async def perform(self, invoke: Invoke, arguments: Json, context: CallContext) -> Outcome:
        given = cast("dict[str, Json]", arguments)
        kind = str(given.get("uri")).rpartition("/")[2]
        weather, chance = self._world.weather, self._random.random
        await asyncio.sleep(self._latency_s())
        self._world.dispatched(context.run_id, invoke)
        if chance() < weather.call_doubled:
            self._world.dispatched(context.run_id, invoke)
        if chance() < weather.crash_at_request:
            await self._world.crash()
        await asyncio.sleep(self._latency_s())
        outcome = await self._outcome(kind, given.get("body"), weather)
        if chance() < weather.crash_at_answer:
            await self._world.crash()
        if chance() < weather.answer_again:
            self._world.answer_again(context.run_id, invoke.call_id, outcome, chance() * 8)
        return outcome

    def _latency_s(self) -> float:
        return min(self._random.expovariate(2.0), 3.0)

    async def _outcome(self, kind: str, body: Json, weather: Weather) -> Outcome:
        if kind == "refuse":
            return Fault(COMMUNICATION, 422, "Refused")
        if kind == "shaky":
            if self._random.random() < weather.call_hangs:
                await asyncio.get_running_loop().create_future()
            if self._random.random() < weather.call_lost:
                return Fault(COMMUNICATION, 503, "Connection lost", unknown_outcome=True)
            if self._random.random() < weather.call_fails:
                return Fault(COMMUNICATION, 503, "Service unavailable")
        return Value(_answer(kind, body))


def _answer(kind: str, body: Json) -> Json:
    data = cast("dict[str, Json]", body) if isinstance(body, dict) else {}
    n = data.get("n")
    answer = {"n": (n if isinstance(n, int) else 0) + ADDED, "order": data.get("order")}
    return answer | {"blob": _BLOB} if kind == "large" else answer
