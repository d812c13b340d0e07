"""The events of one run as they come: those that it publishes, and those that it is given."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.model.limits import MAX_EVENTS_PER_LOOK, MAX_PAGE_ITEMS
from penstock.runtime.live import Live
from penstock.runtime.views import EventView
from penstock.runtime.watching import Watching

Page = Callable[[str, int, int], Awaitable[list[EventView]]]
"""Events of a run beyond a place, in the order of ingestion, at most so many."""


class RunEvents:
    """An event may be given to a run long after it was taken in, below others that were told of. So the last
    `MAX_EVENTS_PER_LOOK` places are remembered, and what lies between them is looked at again."""

    def __init__(self, run_id: str, after: int, page: Page) -> None:
        self._run_id = run_id
        self._page = page
        self._floor = after
        self._told: deque[int] = deque()
        self._known: set[int] = set()

    async def new(self) -> AsyncIterator[EventView]:
        """Those that were not told of."""
        beyond = self._floor
        while views := await self._page(self._run_id, beyond, MAX_PAGE_ITEMS):
            for view in views:
                beyond = view.seq
                if view.seq not in self._known:
                    yield view
                    self._remember(view.seq)

    def _remember(self, seq: int) -> None:
        self._told.append(seq)
        self._known.add(seq)
        if len(self._told) > MAX_EVENTS_PER_LOOK:
            gone = self._told.popleft()
            self._known.discard(gone)
            self._floor = max(self._floor, gone)


async def stream_of_run(
    events: RunEvents,
    run_id: str,
    watching: Watching,
    find_run: Callable[[str], Awaitable[Live]],
    closing: Callable[[], bool],
) -> AsyncIterator[EventView]:
    """The events of a run, until it has ended or the engine stops. Raises `NotFound`."""
    with watching.run(run_id) as moved, watching.events() as came:
        while True:
            moved.clear()
            came.clear()
            over = (await find_run(run_id)).state.ended or closing()
            async for view in events.new():
                yield view
            if over:
                return
            await _either(moved, came)


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
