"""Runs of other nodes that somebody waits for here, and runs of ours that somebody waits for there.

Whoever waits asks the others to tell when the run moves; who holds it does, for a while, and is asked again. A slow
look at the store finds what was not told.
"""

import asyncio
from collections.abc import Callable

import structlog

from penstock.errors import InfrastructureError, NotFound
from penstock.model.limits import MAX_REMOTE_WATCHES, REMOTE_LOOK_MS, REMOTE_WATCH_MS
from penstock.runtime.live import LiveRuns
from penstock.runtime.shares import Shares
from penstock.runtime.watching import Watching
from penstock.store.notices import RunMoved, RunWatched
from penstock.store.protocol import Store


class Remote:
    """Only for a store that is shared: a store of one's own has nobody else's runs."""

    def __init__(
        self, store: Store, shares: Shares, live: LiveRuns, watching: Watching, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._store = store
        self._shares = shares
        self._live = live
        self._watching = watching
        self._log = log
        self._asked: dict[str, float] = {}
        """Our runs that others watch, and until when."""
        self._some = asyncio.Event()
        self._look: dict[str, None] = {}

    # What others want to know of us

    def watched(self, run_id: str) -> None:
        """Another node watches a run; the answer says that it moved, for it may have before."""
        if not self._shares.owns(run_id):
            return
        self._asked.pop(run_id, None)
        if len(self._asked) >= MAX_REMOTE_WATCHES:
            del self._asked[next(iter(self._asked))]
        self._asked[run_id] = _now() + REMOTE_WATCH_MS / 1000
        self._store.tell(RunMoved(run_id))

    def moved(self, run_id: str) -> None:
        """A run of ours has moved."""
        if not self._asked or (until := self._asked.get(run_id)) is None:
            return
        if until < _now():
            del self._asked[run_id]
        else:
            self._store.tell(RunMoved(run_id))

    def left(self, among: Callable[[str], bool]) -> None:
        """These runs are others' now: they are asked anew, and whoever watches here looks there."""
        for run_id in [run_id for run_id in self._asked if among(run_id)]:
            self._store.tell(RunMoved(run_id))
            del self._asked[run_id]

    # What we want to know of others

    def began(self, run_id: str) -> None:
        """Somebody began to watch a run here."""
        if not self._store.exclusive and not self._shares.owns(run_id):
            self._store.tell(RunWatched(self._shares.node, run_id))

    def told(self, run_id: str) -> None:
        """Another node said that a run has moved."""
        if self._watching.watches(run_id):
            self._look[run_id] = None
            self._some.set()

    async def run(self) -> None:
        """Looks for ever at the runs of others that somebody waits for here."""
        asked_at = 0.0
        while True:
            try:
                async with asyncio.timeout(REMOTE_LOOK_MS / 1000):
                    await self._some.wait()
            except TimeoutError:
                self._look |= {run_id: None for run_id in self._watching.watched() if not self._shares.owns(run_id)}
                if _now() - asked_at > REMOTE_WATCH_MS / 3000:
                    asked_at = _now()
                    for run_id in self._look:
                        self._store.tell(RunWatched(self._shares.node, run_id))
            self._some.clear()
            looks, self._look = self._look, {}
            for run_id in looks:
                await self._look_at(run_id)

    async def _look_at(self, run_id: str) -> None:
        """Wakes those who watch the run; those who wait for its end are given it."""
        if not self._watching.awaits_end(run_id):
            self._watching.wake(run_id)
            return
        try:
            live = await self._live.get(run_id)
        except InfrastructureError as error:
            self._log.warning("run cannot be read", run_id=run_id, reason=str(error))
            return
        if live is None:
            self._watching.gone(run_id, NotFound(f"there is no run {run_id}"))
        elif live.state.ended:
            self._watching.moved(live.state)
        else:
            self._watching.wake(run_id)


def _now() -> float:
    return asyncio.get_running_loop().time()
