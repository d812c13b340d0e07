"""Time and randomness, passed in: the only sources of both in the runtime."""

import asyncio
import heapq
import os
import time
from typing import Final, Protocol

_LONGEST_SLEEP_S: Final = 3600.0


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds UTC; never earlier than an earlier answer."""
        ...

    async def sleep_until(self, at_ms: int) -> None:
        """Returns at `at_ms` or later (at once when it has passed)."""
        ...


class Ids(Protocol):
    def entropy(self) -> bytes:
        """16 random bytes."""
        ...


class SystemClock:
    """The machine's clock, held back where it is set back."""

    def __init__(self) -> None:
        self._last = 0

    def now_ms(self) -> int:
        self._last = max(self._last, time.time_ns() // 1_000_000)
        return self._last

    async def sleep_until(self, at_ms: int) -> None:
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - time itself is waited for
            await asyncio.sleep(min(left_ms / 1000, _LONGEST_SLEEP_S))


class ManualClock:
    """A clock that only moves when told to; sleepers wake in the order of their instants."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now = now_ms
        self._count = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._now

    def advance(self, ms: int) -> None:
        """Moves the clock and wakes those whose instant has come."""
        self._now += ms
        while self._sleepers and self._sleepers[0][0] <= self._now:
            sleeper = heapq.heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms <= self._now:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (at_ms, self._count, sleeper))
        await sleeper


class SystemIds:
    """Random bytes of the operating system."""

    def entropy(self) -> bytes:
        return os.urandom(16)
