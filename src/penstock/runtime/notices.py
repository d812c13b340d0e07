"""What other nodes tell, as what the parts of this engine do about it; and the slow sweep in place of lost notices."""

import asyncio
from typing import assert_never

import structlog

from penstock.errors import PenstockError
from penstock.model.limits import COMMIT_BACKOFF_MS, NODE_SWEEP_MS
from penstock.runtime.parts import Parts
from penstock.store.notices import (
    EventsCame,
    InboxFilled,
    Notice,
    RegistryChanged,
    RunMoved,
    RunsDue,
    RunWatched,
    SharesChanged,
    WorkOffered,
)

_SWEEPS_PER_LOAD = 12


class Notices:
    """`heed` never waits; what takes time is left to loops."""

    def __init__(self, parts: Parts, log: structlog.stdlib.BoundLogger) -> None:
        self._parts = parts
        self._log = log
        self._changed: set[str] = set()
        self._some_changed = asyncio.Event()

    def heed(self, notice: Notice) -> None:
        """Implements `penstock.store.notices.Heed`."""
        parts = self._parts
        match notice:
            case InboxFilled(seqs=()):
                parts.inbox.look_again()
            case InboxFilled():
                parts.inbox.named(notice.seqs)
            case EventsCame():
                parts.router.look_again()
                parts.watching.event_came()
            case RunsDue():
                for run_id in notice.run_ids:
                    parts.turns.wake(run_id)
            case RunWatched():
                parts.remote.watched(notice.run_id)
            case RunMoved():
                parts.remote.told(notice.run_id)
            case RegistryChanged():
                self._load(notice.what)
            case WorkOffered():
                parts.pulling.offered(notice.tools) if notice.tools else parts.pulling.look_again()
                parts.pushing.look_again()
            case SharesChanged():
                parts.renew_soon.set()
            case _:
                assert_never(notice)

    async def sweep(self) -> None:
        """Looks for ever for what was not told."""
        count = 0
        while True:
            await asyncio.sleep(NODE_SWEEP_MS / 1000)
            count += 1
            self._parts.inbox.look_again()
            self._parts.timers.look_again()
            self._parts.pulling.look_again()
            self._parts.router.look_again()
            self._parts.watching.event_came()
            if count % _SWEEPS_PER_LOAD == 0:
                self._load("tools")
                self._load("secrets")
                self._load("tokens")

    async def load(self) -> None:
        """Loads for ever what others have changed."""
        while True:
            await self._some_changed.wait()
            self._some_changed.clear()
            changed, self._changed = self._changed, set()
            try:
                if "tokens" in changed:
                    await self._parts.tokens.load()
                if "secrets" in changed:
                    await self._parts.secrets.load()
                if "tools" in changed:
                    await self._parts.directory.load()
                    for capability in self._parts.directory.capabilities():
                        self._parts.dispatch.tools_changed(capability)
            except PenstockError as error:
                self._log.warning("tools, secrets and tokens cannot be read", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._changed |= changed
                self._some_changed.set()

    def _load(self, what: str) -> None:
        self._changed.add(what)
        self._some_changed.set()
