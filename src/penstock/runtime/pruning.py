"""Deletes ended runs that nobody wants to keep: by what settings and workflows say, and on request.

Only runs that ended, and whose parent is not alive, are ever asked for: the store sees to that. Deleting goes in small
transactions with pauses at least as long as the last one took, so that turns always get through between two of them.
"""

from collections.abc import AsyncIterator, Callable

import msgspec
import structlog

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.model.limits import (
    MAX_PAGE_ITEMS,
    MIN_RETAINED_MS,
    PRUNE_COUNT_PAGE,
    PRUNE_COUNT_PER_REQUEST,
    PRUNE_PAGE,
    PRUNE_PAUSE_MS,
    PRUNE_RUNS_PER_REQUEST,
    RETENTION_SWEEP_MS,
)
from penstock.model.plain_data import is_map
from penstock.model.retention import Retention, read_retention
from penstock.runtime.clock import Clock
from penstock.runtime.metrics import Metrics
from penstock.runtime.versions import latest
from penstock.store.protocol import Store

_Name = tuple[str, str]
_Cut = tuple[int, int]
"""Runs that ended before the first are meant, but for the second number of them that ended last."""


class PruneWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which ended runs shall go: those that ended before `before` (ms UTC) and are not among the `keep` of their
    workflow that ended last. With neither, those that settings and workflows no longer keep."""

    before: int | None = None
    keep: int | None = None
    workflow: _Name | None = None
    dry_run: bool = False


class Pruned(msgspec.Struct, frozen=True):
    """How many runs went, or would go, of each workflow (namespace, name, runs); `more` when that is not all."""

    workflows: tuple[tuple[str, str, int], ...]
    more: bool

    @property
    def runs(self) -> int:
        return sum(runs for _, _, runs in self.workflows)


class Pruning:
    """`default` is what happens to runs of workflows that say nothing themselves; `leads` says whether
    sweeping is up to this engine."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
        default: Retention,
        leads: Callable[[], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._default = default
        self._leads = leads

    async def run(self) -> None:
        """Looks again and again, for ever, on one node of all. What fails is tried again the next time."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + RETENTION_SWEEP_MS)
            try:
                if self._leads():
                    await self.sweep()
            except InfrastructureError as error:
                self._log.warning("pruning waits", reason=str(error))

    async def sweep(self) -> int:
        """Deletes what settings and workflows no longer keep, and gives disk space back; returns how many runs."""
        count = 0
        async for name in self._workflows(None):
            async for ids in self._pages(name, await self._kept(name), PRUNE_PAGE):
                count += await self._delete(ids)
        if count:
            self._log.info("runs pruned", runs=count)
        while await self._store.release_space():
            await self._pause(0)
        return count

    async def prune(self, wish: PruneWish) -> Pruned:
        """Does, or only counts, a bounded part of what is wished; ask again while there is more."""
        most, size = (
            (PRUNE_COUNT_PER_REQUEST, PRUNE_COUNT_PAGE) if wish.dry_run else (PRUNE_RUNS_PER_REQUEST, PRUNE_PAGE)
        )
        found: dict[_Name, int] = {}
        async for name in self._workflows(wish.workflow):
            async for ids in self._pages(name, await self._cuts(name, wish), size):
                if most <= 0:
                    return _pruned(found, more=True)
                most -= len(ids)
                found[name] = found.get(name, 0) + (len(ids) if wish.dry_run else await self._delete(ids))
        return _pruned(found, more=False)

    async def _workflows(self, only: _Name | None) -> AsyncIterator[_Name]:
        """The workflows that have ended runs."""
        if only is not None:
            yield only
            return
        after = ("", "")
        while names := await self._store.ended_workflows(after, MAX_PAGE_ITEMS):
            for name in names:
                yield name
            after = names[-1]

    async def _pages(self, name: _Name, cuts: list[_Cut], size: int) -> AsyncIterator[list[str]]:
        """Ids of the runs before each cut, once each: every cut is a beginning of the same order."""
        after = (0, "")
        for before, keep in cuts:
            while True:
                rows = await self._store.ended_runs(*name, before=before, keep=keep, after=after, limit=size)
                if rows:
                    after = rows[-1]
                    yield [run_id for _, run_id in rows]
                if len(rows) < size:
                    break

    async def _cuts(self, name: _Name, wish: PruneWish) -> list[_Cut]:
        if wish.before is None and wish.keep is None:
            return await self._kept(name)
        now = self._clock.now_ms() + 1
        return [(now if wish.before is None else wish.before, wish.keep or 0)]

    async def _kept(self, name: _Name) -> list[_Cut]:
        """The cuts of the workflow's retention. Who waits for a run still finds it for a while after its end."""
        rule = (await self._rule(name)).over(self._default)
        now = self._clock.now_ms()
        cuts: list[_Cut] = []
        if rule.age_ms is not None:
            cuts.append((now - rule.age_ms, 0))
        if rule.runs is not None:
            cuts.append((now - MIN_RETAINED_MS, rule.runs))
        return cuts

    async def _rule(self, name: _Name) -> Retention:
        """What the latest version says. One that was stored before its retention was checked may say nonsense."""
        stored = latest(await self._store.workflow_versions(*name))
        if stored is None or b'"retain"' not in stored.definition:
            return Retention()
        metadata: Json = msgspec.json.decode(stored.definition).get("document", {}).get("metadata")
        asked = read_retention(metadata) if is_map(metadata) else Retention()
        return asked if isinstance(asked, Retention) else Retention()

    async def _delete(self, ids: list[str]) -> int:
        began = self._clock.now_ms()
        count = await self._store.delete_runs(ids)
        self._metrics.pruned.inc(count)
        await self._pause(self._clock.now_ms() - began)
        return count

    async def _pause(self, busy_ms: int) -> None:
        await self._clock.sleep_until(self._clock.now_ms() + max(PRUNE_PAUSE_MS, busy_ms))


def _pruned(found: dict[_Name, int], *, more: bool) -> Pruned:
    return Pruned(tuple((*name, runs) for name, runs in found.items() if runs), more)
