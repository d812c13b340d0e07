"""The runs that are in memory: a bounded cache over the store. What is not here is read again when it is needed."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from penstock.errors import InfrastructureError
from penstock.kernel.commands import Invoke
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.model.limits import MAX_CACHED_RUNS, MAX_CACHED_STATE_BYTES
from penstock.runtime.envelopes import unpack_state
from penstock.store.protocol import Store
from penstock.store.rows import RunRow


class Live(msgspec.Struct, frozen=True, gc=False):
    """A run as it is on disk. `calls` are those that it waits for, `stored` the large values that need not be
    written again; `fingerprint` is that of the code which made the state.
    """

    run: RunRow
    state: RunState
    calls: tuple[Invoke, ...]
    size: int
    stored: frozenset[bytes]
    fingerprint: str


class LiveRuns:
    """Holds only what was committed. Least recently used states leave first."""

    def __init__(self, store: Store, *, most: int = MAX_CACHED_RUNS, most_bytes: int = MAX_CACHED_STATE_BYTES) -> None:
        self._store = store
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._runs: OrderedDict[str, Live] = OrderedDict()

    def __len__(self) -> int:
        return len(self._runs)

    def cached(self, run_id: str) -> Live | None:
        """The run if it is in memory."""
        live = self._runs.get(run_id)
        if live is not None:
            self._runs.move_to_end(run_id)
        return live

    def put(self, live: Live) -> None:
        """Takes what was just committed or read. An ended run is not kept: hardly anything moves it again."""
        self.drop(live.run.id)
        if live.state.ended:
            return
        self._runs[live.run.id] = live
        self._bytes += live.size
        while self._runs and (len(self._runs) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._runs.popitem(last=False)[1].size

    def drop(self, run_id: str) -> None:
        """Forgets the run, because the store may know better."""
        if (live := self._runs.pop(run_id, None)) is not None:
            self._bytes -= live.size

    def keep_only(self, owns: Callable[[str], bool]) -> None:
        """Forgets the runs that others move now."""
        for run_id in [run_id for run_id in self._runs if not owns(run_id)]:
            self.drop(run_id)

    async def read(self, run_id: str) -> Live | None:
        """The run as the store has it, past the cache; None when it does not exist."""
        stored = await self._store.load_run(run_id)
        if stored is None:
            return None
        state, missing, fingerprint = unpack_state(stored.state)
        await load_values(self._store, run_id, missing)
        known = frozenset(value.digest for value in missing)
        size = len(stored.state) + sum(value.size for value in missing)
        return Live(stored.run, state, state.calls, size, known, fingerprint)

    async def get(self, run_id: str) -> Live | None:
        """The run from memory, else from the store, which is not put into the cache."""
        return self.cached(run_id) or await self.read(run_id)


async def load_values(store: Store, run_id: str, missing: Iterable[Value]) -> None:
    """Supplies the bytes of references. Raises `InfrastructureError` when the store lost one."""
    wanted = list(missing)
    if not wanted:
        return
    found = await store.load_values(run_id, list(dict.fromkeys(value.digest for value in wanted)))
    for value in wanted:
        if (data := found.get(value.digest)) is None:
            raise InfrastructureError(f"the store has lost the value {value.digest.hex()} of run {run_id}")
        value.load(data)
