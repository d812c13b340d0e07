"""Time and ids of the simulated world."""

import asyncio
from random import Random
from typing import Final

BEGAN_AT: Final = 1_800_000_000_000
_LONGEST_SLEEP_S: Final = 60.0


class SimulatedClock:
    """The loop's time as a wall clock, which `step` sets forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return BEGAN_AT + self._ahead_ms + int(self._loop.time() * 1000)

    def step(self, ms: int) -> None:
        """Sets the clock forward, as somebody who corrects it would."""
        self._ahead_ms += ms

    async def sleep_until(self, at_ms: int) -> None:
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - time itself is waited for
            await asyncio.sleep(min(max(left_ms, 1) / 1000, _LONGEST_SLEEP_S))


class SimulatedIds:
    """Seeded bytes."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def entropy(self) -> bytes:
        return self._random.randbytes(16)
