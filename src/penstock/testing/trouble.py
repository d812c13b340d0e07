"""What happens to machines in bad weather: they crash, stop, stand still, lose the disk, correct their clocks."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from random import Random
from typing import Any, Final, Protocol

from penstock.testing.loop import SimulatedLoop
from penstock.testing.node import Node
from penstock.testing.trace import Trace
from penstock.testing.weather import Weather

_STEPS_MS: Final = (1, 50, 1_000, 20_000, 90_000)
_PAUSES_S: Final = (0.5, 3.0, 12.0, 20.0)
_CUTS_S: Final = (0.3, 2.0, 8.0, 15.0)


class Surroundings(Protocol):
    loop: SimulatedLoop
    trace: Trace

    @property
    def weather(self) -> Weather: ...

    def random(self, purpose: str) -> Random: ...


class Trouble:
    """All trouble of one machine. Ends with the tasks that carry it; what stands still or is cut off then goes on."""

    def __init__(self, world: Surroundings, node: Node) -> None:
        self._world = world
        self._node = node

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """To be run beside each other, for as long as the weather is bad."""
        return [self._crashes(), self._stops(), self._sets_clock(1), self._sets_clock(-1), self._pauses(), self._cuts()]

    async def _crashes(self) -> None:
        async for random in self._now_and_then("crashes", self._world.weather.crash_every_s):
            self._node.host.crash_soon(int(random.expovariate(0.1)))

    async def _stops(self) -> None:
        async for _ in self._now_and_then("stops", self._world.weather.stop_every_s):
            await self._node.host.stop()

    async def _sets_clock(self, direction: int) -> None:
        weather = self._world.weather
        every_s = weather.clock_steps_every_s if direction > 0 else weather.clock_back_every_s
        async for random in self._now_and_then(f"clock {direction}", every_s):
            step_ms = direction * random.choice(_STEPS_MS)
            self._note(f"the clock steps by {step_ms} ms")
            self._node.wall.step(step_ms)

    async def _pauses(self) -> None:
        async for random in self._now_and_then("pauses", self._world.weather.pause_every_s):
            process = self._node.host.process
            if process is None:
                continue
            self._note("stands still")
            self._world.loop.pause(process)
            try:
                await asyncio.sleep(random.random() * random.choice(_PAUSES_S))
            finally:
                self._world.loop.resume(process)
                self._note("goes on")

    async def _cuts(self) -> None:
        async for random in self._now_and_then("cuts", self._world.weather.cut_every_s):
            if (link := self._node.link) is None:
                continue
            self._note("is cut off")
            link.cut(seen=random.random() < 0.5)
            try:
                await asyncio.sleep(random.random() * random.choice(_CUTS_S))
            finally:
                link.mend()
                self._note("is back")

    async def _now_and_then(self, what: str, every_s: float) -> AsyncIterator[Random]:
        random = self._world.random(f"{what} of {self._node.name}")
        while every_s:
            await asyncio.sleep(random.expovariate(1 / every_s))
            yield random

    def _note(self, what: str) -> None:
        self._world.trace.note(f"{self._node.name}: {what}")
