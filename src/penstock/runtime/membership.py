"""This engine's part among the nodes of a store: it renews its lease, takes up what it gets, gives away what it should.

Losing partitions takes effect at once. Taking them up waits until every turn under way of their runs has ended, for
the state and the messages of such a turn are of the time before.
"""

import asyncio
import math
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.instants import rfc3339
from penstock.model.limits import COMMIT_BACKOFF_MS, DRAIN_MS
from penstock.runtime.metrics import Metrics
from penstock.runtime.parts import Parts
from penstock.runtime.recovery import take_up
from penstock.runtime.settings import Settings
from penstock.store.notices import Heed
from penstock.store.partitions import partition_of
from penstock.store.shares import EVERY_PARTITION, NodeRow
from penstock.store.shares import Membership as Wish

_PATIENCE_S: Final = 2.0
"""How long a node waits for its first runs before it says for whom."""


class Membership:
    """`join` before anything else, then `renewing` for as long as the engine is open, `begin` once, then `moving`."""

    def __init__(self, parts: Parts, settings: Settings, metrics: Metrics, log: structlog.stdlib.BoundLogger) -> None:
        self._parts = parts
        self._shares = parts.shares
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._lost: frozenset[int] = frozenset()
        """Partitions whose turns from before may still be under way."""
        self._untaken: frozenset[int] = frozenset()
        """Partitions that are owned but not recovered in full."""
        self._surplus: frozenset[int] = frozenset()
        self._renewed_at = asyncio.get_running_loop().time()
        self._leaving = False
        self._waits_since: float | None = None
        """Since when this node would move runs and holds none; infinite once that was told."""
        self._work = asyncio.Event()
        metrics.partitions.set_function(lambda: len(self._shares.held))
        metrics.nodes.set_function(lambda: self._shares.engines)

    @property
    def is_sound(self) -> bool:
        """Whether the lease lasts, as far as is known here."""
        return asyncio.get_running_loop().time() - self._renewed_at < self._settings.lease_s

    async def join(self, heed: Heed) -> None:
        """Becomes a member, with what is free. Raises `InfrastructureError`."""
        name = node_name(self._settings)
        wish = Wish(name=name, engine=self._settings.runs_engine, lease_ms=self._settings.lease_s * 1000)
        await self._parts.store.join(wish, heed)
        await self._renew()
        self._log.info("joined", node=self._shares.node, name=name, partitions=len(self._shares.held))

    async def begin(self) -> None:
        """Takes up what the join gave. The lease must be renewed meanwhile."""
        await self._take_up()

    def leave(self) -> None:
        """Takes nothing up any more; the lease is still renewed."""
        self._leaving = True

    async def renewing(self) -> None:
        """Renews for ever: four times in each lease, and whenever somebody doubts what is held."""
        soon = self._parts.renew_soon
        while True:
            try:
                async with asyncio.timeout(self._settings.lease_s / 4):
                    await soon.wait()
            except TimeoutError:
                pass
            soon.clear()
            try:
                await self._renew()
            except InfrastructureError as error:
                self._log.warning("lease not renewed", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                soon.set()

    async def moving(self) -> None:
        """Gives and takes for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._give_away()
                await self._take_up()
            except InfrastructureError as error:
                self._log.warning("runs wait to be moved", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._work.set()

    async def _renew(self) -> None:
        began = asyncio.get_running_loop().time()
        got = await self._parts.store.renew()
        before = self._shares.node
        lost = self._shares.told(got.node, got.held, got.engines)
        self._renewed_at = began
        self._surplus = got.surplus
        if before and before != got.node:
            self._log.warning("expelled; joined again", node=got.node, before=before)
        if lost or before != got.node:
            self._drop(lost)
        if self._surplus or self._shares.held != self._shares.owned or self._untaken:
            self._work.set()
        await self._tell_who_holds()

    async def _tell_who_holds(self) -> None:
        """Once, when this node has had to wait for its first runs for a while."""
        now = asyncio.get_running_loop().time()
        if self._shares.held or not self._settings.runs_engine:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = now
        elif now - self._waits_since >= _PATIENCE_S:
            self._waits_since = math.inf
            with suppress(InfrastructureError):  # the lease is renewed; this was for people only
                holders = [node for node in await self._parts.store.nodes() if node.partitions]
                leases = {node.name: f"its lease lasts until {rfc3339(node.until)}" for node in holders}
                self._log.warning("holds no runs yet; others hold all of them", nodes=leases)

    def _drop(self, lost: frozenset[int]) -> None:
        """Forgets everything of these runs, at once."""
        parts, owns = self._parts, self._shares.owns
        self._count("lost", lost)
        self._lost |= lost
        self._untaken -= lost
        parts.turns.judge_again()
        self._stop_serving(lost)
        parts.router.lost(owns)
        parts.turns.spawn(parts.dispatch.keep_only(owns, 0))

    def _stop_serving(self, partitions: frozenset[int]) -> None:
        parts, owns = self._parts, self._shares.owns
        parts.turns.lost()
        parts.timers.keep_only(owns)
        parts.pushing.keep_only(owns)
        parts.live.keep_only(owns)
        parts.dispatch.keep_waiting_only(owns)
        parts.remote.left(_among(partitions))

    async def _give_away(self) -> None:
        """Begins nothing more for the surplus, lets end what is under way, then gives it to who lacks it."""
        leaving = self._surplus & self._shares.owned
        self._shares.leave(leaving)
        leaving = self._shares.leaving
        if not leaving:
            return
        parts = self._parts
        self._stop_serving(leaving)
        await parts.dispatch.keep_only(self._shares.owns, DRAIN_MS)
        await parts.turns.quiet(_among(leaving))
        await parts.forwarding.emptied()
        leaving &= self._shares.leaving  # but for what was lost meanwhile
        await parts.router.keep()
        await parts.store.release(leaving)
        self._shares.gave(leaving)
        parts.router.lost(self._shares.owns)
        self._count("released", leaving)
        self._parts.renew_soon.set()

    async def _take_up(self) -> None:
        lost, self._lost = self._lost, frozenset()
        try:
            await self._parts.turns.quiet(_among(lost))
        except BaseException:
            self._lost |= lost
            raise
        gained = self._shares.held - self._shares.owned - self._shares.leaving - self._lost
        if self._leaving:
            return
        if gained:
            self._count("gained", gained)
            self._shares.take(gained)
            self._parts.router.gained()  # in the same breath: it keeps no cursor of theirs before
            self._untaken |= gained
        if untaken := self._untaken & self._shares.owned:
            await take_up(self._parts, untaken, self._log)
            self._untaken -= untaken

    def _count(self, what: str, partitions: frozenset[int]) -> None:
        if partitions:
            self._metrics.handovers.labels(what).inc(len(partitions))
            self._log.info(f"partitions {what}", count=len(partitions), partitions=_shown(partitions))


def node_name(settings: Settings) -> str:
    """How lists of nodes name this one."""
    return settings.node_name or f"{socket.gethostname()}:{os.getpid()}"


def only_node(settings: Settings, opened_at: int, now: int) -> NodeRow:
    """An engine whose store nobody else can open, as if it were a member: it holds all, and its lease cannot end."""
    return NodeRow(
        id="alone",
        name=node_name(settings),
        engine=settings.runs_engine,
        joined_at=opened_at,
        seen_at=now,
        until=now + settings.lease_s * 1000,
        partitions=EVERY_PARTITION,
    )


def _among(partitions: frozenset[int]) -> Callable[[str], bool]:
    return lambda run_id: partition_of(run_id) in partitions


def _shown(partitions: frozenset[int]) -> str:
    """`0-15,32`."""
    ranges: list[list[int]] = []
    for number in sorted(partitions):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number, number])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)
