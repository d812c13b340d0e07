"""Time and ids of the simulated world."""

import asyncio
from random import Random
from typing import Final

BEGAN_AT: Final = 1_800_000_000_000
_LONGEST_SLEEP_S: Final = 60.0


class WallClock:
    """What a machine says of the time: the loop's, some time off, and set forward and back by `step`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, off_ms: int = 0) -> None:
        self._loop = loop
        self._off_ms = off_ms

    def now_ms(self) -> int:
        return BEGAN_AT + self._off_ms + int(self._loop.time() * 1000)

    def step(self, ms: int) -> None:
        """Sets the clock, as somebody who corrects it would."""
        self._off_ms += ms


class SimulatedClock:
    """The clock of one process: that of its machine, held back while that one is set back, as the real one is."""

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall
        self._last = 0

    def now_ms(self) -> int:
        self._last = max(self._last, self._wall.now_ms())
        return self._last

    async def sleep_until(self, at_ms: int) -> None:
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - time itself is waited for
            await asyncio.sleep(min(max(left_ms, 1) / 1000, _LONGEST_SLEEP_S))


class SimulatedIds:
    """Seeded bytes."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def entropy(self) -> bytes:
        return self._random.randbytes(16)
