"""An engine's life: open the store, recover, work, drain, close."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, EVENT_EXPIRY_PAGE, GRACE_MS, MAX_STORED_EVENT_MS, TIMER_WINDOW_MS
from penstock.runtime.clock import Clock, Ids
from penstock.runtime.edges import Edges
from penstock.runtime.membership import Membership
from penstock.runtime.metrics import Metrics
from penstock.runtime.notices import Notices
from penstock.runtime.parts import Parts, assemble
from penstock.runtime.recovery import take_up
from penstock.runtime.settings import Settings, SettingsError, read_secrets_file
from penstock.runtime.store_metrics import StoreCollector
from penstock.store import Vault, load_key, open_store
from penstock.store.protocol import Store
from penstock.store.vault import KEY_BYTES, KEY_VARIABLE
from penstock.tools.functions import Functions


class Opened:
    """The parts while the engine is open, and the loops that keep them going."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
        store: Store | None,
        functions: Functions,
        edges: Edges,
    ) -> None:
        self.closing = False
        self.opened_at = 0
        """When the store was opened, in milliseconds UTC."""
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._metrics = metrics
        self._log = log
        self._store = store
        self._functions = functions
        self._edges = edges
        self._parts: Parts | None = None
        self._store_metrics: StoreCollector | None = None
        self._membership: Membership | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._lasting: list[asyncio.Task[None]] = []

    @property
    def is_open(self) -> bool:
        return self._parts is not None and not self.closing

    @property
    def is_sound(self) -> bool:
        """Whether nobody else can have the runs of this engine, as far as is known here."""
        return self._membership is None or self._membership.is_sound

    @property
    def parts(self) -> Parts:
        if self._parts is None:
            raise InfrastructureError("the engine is not open")
        return self._parts

    async def __aenter__(self) -> Self:
        store = self._store or open_store(self._settings.store_url)
        _check_roles(self._settings, store)
        await store.open()
        self.opened_at = self._clock.now_ms()
        try:
            parts = assemble(
                self._settings,
                store=store,
                vault=_vault(self._settings, self._ids),
                clock=self._clock,
                ids=self._ids,
                metrics=self._metrics,
                log=self._log,
                functions=self._functions,
                edges=self._edges,
            )
        except BaseException:
            await store.close()
            raise
        try:
            await self._begin(parts)
        except BaseException:
            await self._end_loops()
            await self._shut(parts)
            raise
        self._parts = parts
        self._store_metrics = StoreCollector(store.statistics)
        self._metrics.registry.register(self._store_metrics)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        parts = self.parts
        self.closing = True
        if self._store_metrics is not None:
            self._metrics.registry.unregister(self._store_metrics)
        parts.watching.close()
        if self._membership is not None:
            self._membership.leave()
        await _ended(self._loops)
        await parts.pulling.close()
        await parts.dispatch.stop(GRACE_MS)
        await parts.pushing.stop(GRACE_MS)
        await parts.turns.stop(GRACE_MS)
        with suppress(InfrastructureError, TimeoutError):
            async with asyncio.timeout(GRACE_MS / 1000):
                await parts.forwarding.emptied()
                await parts.router.keep()
                await parts.tokens.flush()
        await self._end_loops()
        await self._shut(parts)
        self._log.info("stopped")

    def check_ready(self) -> None:
        """Raises `InfrastructureError` while the lease of this node is not renewed."""
        if not self.is_sound:
            raise InfrastructureError("the lease of this node cannot be renewed: the store does not answer")

    async def _begin(self, parts: Parts) -> None:
        await parts.secrets.load()
        await parts.directory.load()
        await parts.tokens.load()
        if parts.store.exclusive:
            await take_up(parts, None, self._log)
        else:
            await self._join(parts)
        if self._settings.runs_engine:
            await parts.router.start()
        if self._settings.secrets:
            for name, value in read_secrets_file(self._settings.secrets).items():
                await parts.secrets.put(name, value)
        parts.turns.start()
        self._keep(parts.tokens.run)
        if self._settings.runs_engine:
            self._keep(parts.inbox.run, parts.router.run, parts.timers.run, parts.pruning.run, parts.pushing.run)
            self._keep(lambda: self._sweep(parts))

    async def _join(self, parts: Parts) -> None:
        """Becomes one of the nodes that share the store."""
        notices = Notices(parts, self._log)
        self._membership = membership = Membership(parts, self._settings, self._metrics, self._log)
        await membership.join(notices.heed)
        # These go on until nothing else does.
        self._lasting += [asyncio.create_task(self._kept(run)) for run in (membership.renewing, parts.forwarding.run)]
        await membership.begin()
        self._keep(membership.moving, notices.sweep, notices.load, parts.remote.run)

    def _keep(self, *loops: Callable[[], Awaitable[None]]) -> None:
        self._loops += [asyncio.create_task(self._kept(run)) for run in loops]

    async def _end_loops(self) -> None:
        await _ended(self._loops)
        await _ended(self._lasting)

    async def _shut(self, parts: Parts) -> None:
        with suppress(Exception):
            await parts.evaluator.stop()
        with suppress(Exception):
            await parts.client.close()
        parts.threads.close()
        await parts.store.close()

    async def _sweep(self, parts: Parts) -> None:
        """The slow net: forgets what is over."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + TIMER_WINDOW_MS)
            await parts.router.sweep()
            before, full = self._clock.now_ms() - MAX_STORED_EVENT_MS, True
            while full and parts.shares.leads:
                full = await parts.store.expire_events(before, EVENT_EXPIRY_PAGE) == EVENT_EXPIRY_PAGE

    async def _kept(self, run: Callable[[], Awaitable[None]]) -> None:
        """Bulkhead: a loop that fails is begun again."""
        while True:
            try:
                await run()
            except Exception as error:
                self._log.error("loop failed", exc_info=error)
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)


def _vault(settings: Settings, ids: Ids) -> Vault:
    """The vault of the store. One in memory needs no key that outlives it."""
    if settings.in_memory and not settings.key:
        return Vault((ids.entropy() + ids.entropy())[:KEY_BYTES])
    return Vault(load_key(settings.key_path, {KEY_VARIABLE: settings.key}))


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()


def _check_roles(settings: Settings, store: Store) -> None:
    if store.exclusive and not (settings.runs_engine and settings.serves_api):
        raise SettingsError(
            f"roles: {settings.roles} alone needs a store that several processes can share: postgresql://…"
        )
