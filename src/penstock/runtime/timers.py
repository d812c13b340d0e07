"""Deadlines: the near ones in one heap with one armed sleep, all others in the store's index."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, MAX_TIMERS_IN_MEMORY, TIMER_WINDOW_MS
from penstock.runtime.clock import Clock
from penstock.store.protocol import Store

_FIRED_AGAIN_MS = 5_000


class Timers:
    """Wakes a run at its deadline or later, never earlier. The store is looked through once per window, which also
    finds whatever was missed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wake: Callable[[str], None],
        may_fire: Callable[[], bool],
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`refresh` reads what others have written up to now: an answer that is there by then beats its deadline."""
        self._store = store
        self._clock = clock
        self._wake = wake
        self._may_fire = may_fire
        self._refresh = refresh
        self._heap: list[tuple[int, str]] = []
        self._next: dict[str, int] = {}
        self._fired: dict[str, int] = {}
        self._until = 0
        """Deadlines up to here are in memory."""
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._next)

    def note(self, run_id: str, at: int | None) -> None:
        """The run's next deadline after a commit; None when it has none."""
        self._fired.pop(run_id, None)
        if at is None or at > self._until:
            self._next.pop(run_id, None)
            return
        self._push(run_id, at)
        if len(self._next) > 2 * MAX_TIMERS_IN_MEMORY:
            self._shrink()

    def look_again(self) -> None:
        """There may be deadlines in the store that nobody noted."""
        self._until = 0
        self._changed.set()

    def keep_only(self, owns: Callable[[str], bool]) -> None:
        """Forgets the deadlines of runs that are somebody else's now."""
        self._next = {run_id: at for run_id, at in self._next.items() if owns(run_id)}
        self._fired = {run_id: at for run_id, at in self._fired.items() if owns(run_id)}
        self._heap = sorted((at, run_id) for run_id, at in self._next.items())

    async def run(self) -> None:
        """Fires what is due, for ever."""
        while True:
            self._changed.clear()
            now = self._clock.now_ms()
            if not await self._may_fire_until(now):
                await self._clock.sleep_until(now + COMMIT_BACKOFF_MS)
                continue
            self._fire(now)
            if now >= self._until:
                await self._refill(now)
            else:
                await self._sleep(min(self._heap[0][0] if self._heap else self._until, self._until))

    async def _may_fire_until(self, now: int) -> bool:
        if self._refresh is not None and self._heap and self._heap[0][0] <= now:
            try:
                await self._refresh()
            except InfrastructureError:
                return False
        return self._may_fire()

    def _push(self, run_id: str, at: int) -> None:
        if self._next.get(run_id) == at:
            return
        first = self._heap[0][0] if self._heap else self._until
        self._next[run_id] = at
        heapq.heappush(self._heap, (at, run_id))
        if len(self._heap) > 2 * len(self._next) + 1000:
            self._heap = sorted((at, run_id) for run_id, at in self._next.items())
        if at < first:
            self._changed.set()

    def _fire(self, now: int) -> None:
        while self._heap and self._heap[0][0] <= now:
            at, run_id = heapq.heappop(self._heap)
            if self._next.get(run_id) == at:
                del self._next[run_id]
                self._fired[run_id] = now
                self._wake(run_id)

    async def _refill(self, now: int) -> None:
        """The next window. What fired and has had no turn yet is not fired again at once."""
        self._fired = {run_id: at for run_id, at in self._fired.items() if now - at < _FIRED_AGAIN_MS}
        limit = MAX_TIMERS_IN_MEMORY + len(self._fired)
        until = now + TIMER_WINDOW_MS
        self._until = until  # before the read: what is committed meanwhile comes by `note`
        rows = await self._store.due_runs(until, limit)
        for run_id, at in rows:
            if run_id not in self._fired and run_id not in self._next:
                self._push(run_id, at)
        if len(rows) >= limit:
            self._until = max(rows[-1][1], now + COMMIT_BACKOFF_MS)

    def _shrink(self) -> None:
        self._heap = sorted((at, run_id) for run_id, at in self._next.items())[:MAX_TIMERS_IN_MEMORY]
        self._next = {run_id: at for at, run_id in self._heap}
        self._until = self._heap[-1][0]

    async def _sleep(self, until: int) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep_until(until))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({sleeping, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()  # not awaited: waiting here could swallow a cancellation of this very task
            changed.cancel()
