"""How much a turn costs: `PYTHONPATH=src:. python -m tests.store.measure [STORE_URL [work]]`.

Commits of 100 turns over 2,000 live runs (state 600 B, journal 300 B), then single turns by 100 callers at once, and by
one. Alone, and beside a thread that computes all the time. `sqlite`, or no URL, is a file in /tmp; `postgres`
starts a server of its own, with fsync. `work` measures what tools take instead: `tests.store.measure_work`.
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

from penstock.store import Store, open_store
from penstock.store.rows import Committed, JournalRow, RunCommit
from tests.postgres_server import PostgresServer
from tests.store.measure_work import measure_work
from tests.store.samples import BEGAN, held_by, run_id, turn

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
    store: Store, name: str, commit: Callable[[list[RunCommit]], Awaitable[None]], versions: list[int]
) -> None:
    """Prints one line; the CPU is that of this process (what makes the turns included), not of a server."""
    before, began, used = store.statistics(), time.perf_counter(), time.process_time()
    at = 0
    while time.perf_counter() - began < SECONDS:
        await commit([next_turn(versions, (at + offset) % RUNS) for offset in range(BATCH)])
        at += BATCH
    after, elapsed = store.statistics(), time.perf_counter() - began
    turns, commits = after.turns - before.turns, after.commits - before.commits
    cost = (time.process_time() - used) / turns * 1e6
    statements = (after.statements - before.statements) / commits
    sys.stdout.write(
        f"{name:28} {turns / elapsed:8.0f} turns/s  {commits / elapsed:6.0f} commits/s  "
        f"{statements:5.1f} statements/commit  {cost:6.1f} µs of CPU per turn\n"
    )


async def main(url: str, *, work: bool) -> None:
    store = open_store(url)
    await store.open()
    await held_by(store)
    await (measure_work if work else measure_turns)(store)
    await store.close()


async def measure_turns(store: Store) -> None:
    async def together(turns: list[RunCommit]) -> None:
        assert all(type(outcome) is Committed for outcome in await store.commit(turns))

    async def one_by_one(turns: list[RunCommit]) -> None:
        outcomes = await asyncio.gather(*(store.commit([one]) for one in turns))
        assert all(type(outcome) is Committed for (outcome,) in outcomes)

    async def alone(turns: list[RunCommit]) -> None:
        for one in turns:
            assert [type(outcome) for outcome in await store.commit([one])] == [Committed]

    versions = [0] * RUNS
    await together([next_turn(versions, number) for number in range(RUNS)])
    await measure(store, "commits of 100", together, versions)
    await measure(store, "100 callers", one_by_one, versions)
    await measure(store, "1 caller", alone, versions)
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(stop.is_set, True)])
    busy.start()
    await measure(store, "commits of 100, beside work", together, versions)
    stop.set()
    busy.join()
    assert await store.load_run(run_id(0)) is not None


if __name__ == "__main__":
    given = sys.argv[1] if sys.argv[1:] else "sqlite"
    of_work = sys.argv[2:] == ["work"]
    if given == "postgres":
        server = PostgresServer()
        try:
            asyncio.run(main(server.url, work=of_work))
        finally:
            server.remove()
        spent = os.times()
        sys.stdout.write(f"the server used {spent.children_user + spent.children_system:.1f} s of CPU in all\n")
    else:
        with tempfile.TemporaryDirectory() as temporary:
            url = f"sqlite:{Path(temporary) / 'measure.db'}" if given == "sqlite" else given
            asyncio.run(main(url, work=of_work))
