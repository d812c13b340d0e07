"""The notices between simulated nodes: each goes to every other member that can be reached; some are lost, doubled,
late, and so out of order."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from random import Random
from typing import Protocol

import msgspec

from penstock.store.notices import (
    EventsCame,
    Heed,
    InboxFilled,
    Notice,
    RegistryChanged,
    SharesChanged,
    WorkOffered,
)
from penstock.testing.weather import Weather

MISSED: tuple[Notice, ...] = (
    InboxFilled(),
    EventsCame(),
    SharesChanged(),
    RegistryChanged("tools"),
    RegistryChanged("secrets"),
    RegistryChanged("tokens"),
    WorkOffered(),
)
"""What may have been told while nobody listened."""


class Surroundings(Protocol):
    @property
    def weather(self) -> Weather: ...


class Ear(msgspec.Struct, eq=False):
    """A member that listens, in its own process. One that cannot be `reached` hears nothing."""

    heed: Heed
    reached: Callable[[], bool]
    context: Context


class Network:
    """Tells nobody what it told itself."""

    def __init__(self, world: Surroundings, random: Random) -> None:
        self._world = world
        self._random = random
        self._ears: list[Ear] = []

    def listen(self, heed: Heed, reached: Callable[[], bool]) -> Ear:
        """Call it in the process that listens."""
        ear = Ear(heed, reached, copy_context())
        self._ears.append(ear)
        return ear

    def leave(self, ear: Ear) -> None:
        self._ears.remove(ear)

    def tell(self, sender: Ear, notice: Notice) -> None:
        if not sender.reached():
            return
        for ear in self._ears:
            if ear is not sender:
                self._send(ear, notice)

    def missed(self, ear: Ear) -> None:
        """A member can be reached again: it has to look at everything."""
        for notice in MISSED:
            self._deliver(ear, notice, 0.0)

    def _send(self, ear: Ear, notice: Notice) -> None:
        weather, chance = self._world.weather, self._random.random
        if chance() < weather.notice_lost:
            return
        for _ in range(2 if chance() < weather.notice_doubled else 1):
            late_s = chance() * 10 if chance() < weather.notice_late else 0.0
            self._deliver(ear, notice, late_s + self._random.expovariate(1.0) * 0.002)

    def _deliver(self, ear: Ear, notice: Notice, after_s: float) -> None:
        asyncio.get_running_loop().call_later(after_s, self._hear, ear, notice, context=ear.context.copy())

    def _hear(self, ear: Ear, notice: Notice) -> None:
        if ear in self._ears and ear.reached():
            ear.heed(notice)
