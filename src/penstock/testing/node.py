"""One machine of the simulated world: its clock, its way to the disk, and the engine that it boots again and again."""

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import structlog

from penstock.runtime.clock import Ids
from penstock.runtime.edges import Edges
from penstock.runtime.metrics import Metrics
from penstock.runtime.settings import Settings
from penstock.store.protocol import Store
from penstock.testing.clock import SimulatedClock, WallClock
from penstock.testing.expressions import SimulatedWorkers
from penstock.testing.faults import NodeLink
from penstock.testing.host import Host, SimulatedEngine
from penstock.testing.loop import Process, SimulatedLoop
from penstock.testing.services import SimulatedServices
from penstock.testing.trace import Trace
from penstock.testing.weather import Weather

LEASE_S: Final = 4
"""Short, so that leases end in every simulation that has many nodes."""
_KEY: Final = "c2ltdWxhdGVkIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="


class Surroundings(Protocol):
    """What a machine stands in."""

    loop: SimulatedLoop
    trace: Trace
    services: SimulatedServices
    log: structlog.stdlib.BoundLogger

    @property
    def weather(self) -> Weather: ...

    @property
    def ids(self) -> Ids: ...

    def random(self, purpose: str) -> Random: ...

    async def crash(self) -> None: ...

    def store(self, link: NodeLink) -> Store:
        """A new store over the disk."""
        ...


class Node:
    """`settings` are those of its engine, beside what all have in common."""

    def __init__(self, world: Surroundings, name: str, *, engine: bool, booted: Callable[[], None]) -> None:
        self.name = name
        self.engine = engine
        self._world = world
        self._random = world.random(f"{name} store")
        off_ms = int(self._random.uniform(-1, 1) * world.weather.clock_off_ms)
        self.wall = WallClock(world.loop, off_ms=off_ms)
        self.clock = SimulatedClock(self.wall)
        self.link: NodeLink | None = None
        self.host = Host(name, world.loop, world.trace, world.random(f"{name} host"), self._build)
        self._booted = booted
        self._metrics = Metrics()

    def _build(self, process: Process) -> SimulatedEngine:
        world = self._world
        self._booted()
        lingers = self._random.random() < world.weather.crash_lingers
        self.link = NodeLink(world, self._random, process, lingers=lingers)
        self.clock = SimulatedClock(self.wall)
        return SimulatedEngine(
            Settings(
                store="memory:",
                key=_KEY,
                roles="api,engine" if self.engine else "api",
                lease_s=LEASE_S,
                node_name=process.name,
            ),
            clock=self.clock,
            ids=world.ids,
            store=world.store(self.link),
            metrics=self._metrics,
            log=world.log,
            edges=Edges(performer=world.services, workers=SimulatedWorkers(self.link.pause)),
        )
