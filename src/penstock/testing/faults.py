"""What goes wrong around the operations of the store, as the weather has it."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

from penstock.errors import InfrastructureError
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
