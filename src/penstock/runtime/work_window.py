"""How much work one live stream has leased at once: its reader says nothing when it has room again, its answers do."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from penstock.runtime.clock import Clock
from penstock.runtime.pulling import Pulling
from penstock.runtime.sleeping import sleep_until_changed
from penstock.store.rows import WorkRow


class WorkWindow:
    """Up to `most` pieces that are neither finished, as far as is known here, nor past the end of their lease."""

    def __init__(self, pulling: Pulling, clock: Clock, tool: str, most: int) -> None:
        self._pulling = pulling
        self._clock = clock
        self._tool = tool
        self._most = most
        self._until: dict[str, int] = {}
        self._freed = asyncio.Event()

    def __enter__(self) -> Self:
        self._pulling.windows.add(self._over)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulling.windows.discard(self._over)

    def took(self, rows: Sequence[WorkRow], until: int) -> None:
        """These were leased until then."""
        self._until |= {row.call_id: until for row in rows}

    async def room(self) -> int:
        """How many more there may be, once there may be some."""
        while True:
            self._freed.clear()
            now = self._clock.now_ms()
            self._until = {
                call_id: end
                for call_id, until in self._until.items()
                if (end := max(until, self._pulling.lease_end(call_id, self._tool))) > now
            }
            if len(self._until) < self._most or self._pulling.closed:
                return max(self._most - len(self._until), 1)
            await sleep_until_changed(self._clock, min(self._until.values()), self._freed)

    def _over(self, call_id: str, tool: str) -> None:
        if not call_id or (tool in ("", self._tool) and self._until.pop(call_id, None) is not None):
            self._freed.set()
