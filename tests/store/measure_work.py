"""How fast tools get their work: the mode `work` of `tests.store.measure`.

The whole way of a task (the turn that offers it, 100 at once; the lease; the turn that withdraws it), then tasks that
were offered before, leased by 8 askers at once, 1, 10 and 50 at a time; and those again beside 50,000 rows of other
tools and leases that last. Each event has 1,000 bytes.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from itertools import count
from typing import Final

from penstock.model.json_value import Json
from penstock.store import Store
from penstock.store.rows import Committed, RunCommit, WorkRow
from tests.store.contract_work import work
from tests.store.samples import BEGAN, run_id, turn

TASKS: Final = 5_000
OTHERS: Final = 50_000
ASKERS: Final = 8
AT_ONCE: Final = 100
LATER: Final = BEGAN + 60_000
STATE: Final = os.urandom(600)
EVENT: Final = os.urandom(1_000)


class Tasks:
    """A run for each task; its turn offers the task, the next one withdraws it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = count()
        self._runs: dict[str, int] = {}

    async def offer(self, tasks: int, **changes: Json) -> None:
        for _ in range(tasks // AT_ONCE):
            await self._commit([self._offering(next(self._numbers), changes) for _ in range(AT_ONCE)])

    async def lease(self, limit: int) -> list[WorkRow]:
        return await self._store.lease_work("t", now=BEGAN, until=LATER, holder="me", limit=limit)

    async def finish(self, rows: Sequence[WorkRow]) -> None:
        numbers = [(self._runs.pop(row.call_id), row.call_id) for row in rows]
        await self._commit([turn(n, 2, end=n % 256, state=STATE, withdraw=(call,)) for n, call in numbers])

    def _offering(self, number: int, changes: dict[str, Json]) -> RunCommit:
        identity = run_id(number, number % 256)
        call_id = f"{identity}.1"
        self._runs[call_id] = number
        plain: dict[str, Json] = {"run_id": identity, "event": EVENT}
        return turn(number, end=number % 256, state=STATE, offers=(work(call_id, **plain | changes),))

    async def _commit(self, turns: list[RunCommit]) -> None:
        assert all(type(outcome) is Committed for outcome in await self._store.commit(turns))


def told(name: str, tasks: int, began: float) -> None:
    sys.stdout.write(f"{name:44} {tasks / (time.perf_counter() - began):8.0f} tasks/s\n")


async def leased(tasks: Tasks, limit: int, *, finish: bool = False) -> int:
    """Askers take all that there is."""

    async def ask() -> int:
        got = 0
        while rows := await tasks.lease(limit):
            got += len(rows)
            if finish:
                await tasks.finish(rows)
        return got

    return sum(await asyncio.gather(*(ask() for _ in range(ASKERS))))


async def measure_work(store: Store) -> None:
    tasks = Tasks(store)
    for limit in (1, 10, 50):
        began = time.perf_counter()
        await tasks.offer(TASKS)
        assert await leased(tasks, limit, finish=True) == TASKS
        told(f"offered, leased by {limit}, withdrawn", TASKS, began)
    await _lease_all(tasks, "leased")
    await tasks.offer(OTHERS // 2, tool="u")
    await tasks.offer(OTHERS // 2, state="leased", due_at=LATER)
    await _lease_all(tasks, f"beside {OTHERS} others, leased")
    began = time.perf_counter()
    counted = await store.count_work()
    sys.stdout.write(f"{sum(counted.values())} rows counted in {(time.perf_counter() - began) * 1000:.1f} ms\n")


async def _lease_all(tasks: Tasks, name: str) -> None:
    for limit in (1, 10, 50):
        await tasks.offer(TASKS)
        began = time.perf_counter()
        assert await leased(tasks, limit) == TASKS
        told(f"{name} by {limit}", TASKS, began)
