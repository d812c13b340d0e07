"""What goes wrong around the operations of the store, as the weather has it."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

from penstock.errors import InfrastructureError
from penstock.testing.loop import Process
from penstock.testing.weather import Weather


class Surroundings(Protocol):
    """Whose weather it is."""

    @property
    def weather(self) -> Weather: ...

    async def crash(self) -> None:
        """Ends the engine that asks; never returns."""
        ...


class WeatherFaults:
    """Implements `penstock.testing.store.Faults`."""

    def __init__(self, world: Surroundings, random: Random) -> None:
        self._world = world
        self._random = random

    async def before_write(self) -> None:
        weather = self._world.weather
        await self._pause()
        if self._random.random() < weather.crash_before_write:
            await self._world.crash()
        if self._random.random() < weather.write_fails:
            raise InfrastructureError("the disk did not write")

    async def after_write(self) -> None:
        weather = self._world.weather
        await self._pause()
        if self._random.random() < weather.crash_after_write:
            await self._world.crash()
        if self._random.random() < weather.write_lies:
            raise InfrastructureError("the disk wrote and said that it did not")

    async def around_read(self) -> None:
        weather = self._world.weather
        await self._pause()
        if self._random.random() < weather.crash_before_read:
            await self._world.crash()
        if self._random.random() < weather.read_fails:
            raise InfrastructureError("the disk did not read")

    def write_again(self, again: Callable[[], Awaitable[None]]) -> None:
        if self._random.random() < self._world.weather.write_again:
            delay_s = self._random.random() * 2
            tasks: list[asyncio.Task[None]] = []

            async def later() -> None:
                await asyncio.sleep(delay_s)
                await again()
                tasks.clear()

            tasks.append(asyncio.create_task(later()))

    async def pause(self) -> None:
        """As long as one operation takes; may fail as an expression worker does."""
        await self._pause()
        if self._random.random() < self._world.weather.evaluation_fails:
            raise InfrastructureError("the workers are gone")

    async def _pause(self) -> None:
        weather = self._world.weather
        if self._random.random() < weather.slow:
            await asyncio.sleep(self._random.random() * 8)
        await asyncio.sleep(self._random.expovariate(1.0) * weather.latency_ms / 1000)


class NodeLink(WeatherFaults):
    """Implements `penstock.testing.shared_store.Link`: what goes wrong between one engine of several and the disk.

    `lingers`: if the engine crashes, the disk takes it for connected until its lease is over.
    """

    def __init__(self, world: Surroundings, random: Random, process: Process, *, lingers: bool) -> None:
        super().__init__(world, random)
        self._process = process
        self._lingers = lingers
        self._seen_gone = False
        self._act: Callable[[], None] | None = None
        self.reached = True

    @property
    def connected(self) -> bool:
        return (self._process.alive or self._lingers) and not self._seen_gone

    def cut(self, *, seen: bool) -> None:
        """Nothing gets through any more; `seen` says whether the disk notices."""
        self.reached, self._seen_gone = False, seen

    def mend(self) -> None:
        """Both can talk again."""
        self.reached, self._seen_gone = True, False
        if self._act is not None and self._process.alive:
            self._act()

    def when_mended(self, act: Callable[[], None]) -> None:
        self._act = act

    async def before_write(self) -> None:
        await super().before_write()
        await self._through()

    async def after_write(self) -> None:
        await super().after_write()
        await self._through()

    async def around_read(self) -> None:
        await super().around_read()
        await self._through()

    async def _through(self) -> None:
        if not self.reached:
            await asyncio.sleep(self._random.random() * 2)
            raise InfrastructureError("the disk cannot be reached")
