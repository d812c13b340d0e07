"""How much a turn costs the writer: `PYTHONPATH=src python -m tests.store.measure [DIRECTORY]`.

Commits of 100 turns over 2,000 live runs (state 600 B, journal 300 B), then single turns by 100 callers at once.
Alone, and beside a thread that computes all the time, as a busy event loop does.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from penstock.store.rows import Committed, JournalRow, RunCommit
from penstock.store.sqlite import SqliteStore
from tests.store.samples import BEGAN, run_id, turn

RUNS: Final = 2_000
BATCH: Final = 100
SECONDS: Final = 4.0
STATE: Final = os.urandom(600)
BODY: Final = os.urandom(300)


def next_turn(versions: list[int], number: int) -> RunCommit:
    version = versions[number] = versions[number] + 1
    row = {"status": "waiting" if version & 1 else "running", "next_at": BEGAN + version * 7919 % 60_000}
    return turn(number, version, run=row, state=STATE, journal=(JournalRow(version, BEGAN, BODY),))


async def measure(
    store: SqliteStore, name: str, commit: Callable[[list[RunCommit]], Awaitable[None]], versions: list[int]
) -> None:
    writer = store._writer
    assert writer is not None
    clock = time.pthread_getcpuclockid(writer._thread.ident or 0)
    before, began, used = store.statistics(), time.perf_counter(), time.clock_gettime(clock)
    at = 0
    while time.perf_counter() - began < SECONDS:
        await commit([next_turn(versions, (at + offset) % RUNS) for offset in range(BATCH)])
        at += BATCH
    after, elapsed = store.statistics(), time.perf_counter() - began
    turns, commits = after.turns - before.turns, after.commits - before.commits
    cost = (time.clock_gettime(clock) - used) / turns * 1e6
    statements = (after.statements - before.statements) / commits
    sys.stdout.write(
        f"{name:28} {turns / elapsed:8.0f} turns/s  {commits / elapsed:6.0f} commits/s  "
        f"{statements:5.1f} statements/commit  {cost:6.1f} µs of writer CPU per turn\n"
    )


async def main(directory: Path) -> None:
    store = SqliteStore(directory / "measure.db")
    await store.open()

    async def together(turns: list[RunCommit]) -> None:
        assert all(type(outcome) is Committed for outcome in await store.commit(turns))

    async def one_by_one(turns: list[RunCommit]) -> None:
        outcomes = await asyncio.gather(*(store.commit([one]) for one in turns))
        assert all(type(outcome) is Committed for (outcome,) in outcomes)

    versions = [0] * RUNS
    await together([next_turn(versions, number) for number in range(RUNS)])
    await measure(store, "commits of 100", together, versions)
    await measure(store, "100 callers", one_by_one, versions)
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(stop.is_set, True)])
    busy.start()
    await measure(store, "commits of 100, beside work", together, versions)
    stop.set()
    busy.join()
    assert await store.load_run(run_id(0)) is not None
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as temporary:
        asyncio.run(main(Path(temporary)))
