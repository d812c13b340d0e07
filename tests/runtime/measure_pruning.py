"""What pruning costs those who start runs: `PYTHONPATH=src:. python -m tests.runtime.measure_pruning [DIRECTORY]`.

100 starts a second, first alone, then while 50,000 ended runs (four turns, 2 KB each) go; and what the file is after.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.store.protocol import Store
from penstock.store.rows import JournalRow, RunCommit
from tests.store.samples import run_row

RUNS: Final = 50_000
PER_SECOND: Final = 100
SECONDS: Final = 10
DOCUMENT: Final = "document: {dsl: '1.0.3', namespace: test, name: quick, version: '1.0.0'}\ndo:\n- x: {set: {a: 1}}\n"
NAME: Final = "penstock.db"


def over(number: int) -> RunCommit:
    """An ended run as four turns leave it."""
    row = run_row(number, name="old", status="completed", ended_at=number + 1)
    row = msgspec.structs.replace(row, id=f"018bcfe5-{number >> 12:04x}-7{number & 4095:03x}-8000-{number:012x}")
    journal = tuple(JournalRow(seq, number, os.urandom(300)) for seq in range(1, 5))
    return RunCommit(run=row, expected_version=0, version=4, state=os.urandom(600), journal=journal)


async def fill(store: Store) -> None:
    for first in range(0, RUNS, 500):
        await store.commit([over(number) for number in range(first, first + 500)])


async def start(engine: Engine, latencies: list[float]) -> None:
    began = time.perf_counter()
    await engine.start_run("test", "quick", "1.0.0", {})
    latencies.append(time.perf_counter() - began)


async def start_many(engine: Engine, name: str, until: "asyncio.Future[int] | None") -> None:
    """Starts at a steady pace, for a time or until something is done."""
    latencies: list[float] = []
    starts: list[asyncio.Task[None]] = []
    began = time.perf_counter()
    while not until.done() if until is not None else len(starts) < SECONDS * PER_SECOND:
        starts.append(asyncio.create_task(start(engine, latencies)))
        await asyncio.sleep(max(0.0, began + len(starts) / PER_SECOND - time.perf_counter()))
    await asyncio.gather(*starts)
    elapsed = time.perf_counter() - began
    latencies.sort()
    p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
    sys.stdout.write(
        f"{name:18} {elapsed:5.1f} s  {len(latencies):5} starts  "
        f"p50 {p50:5.1f} ms  p99 {p99:5.1f} ms  max {latencies[-1] * 1000:5.1f} ms\n"
    )


def size(directory: Path) -> str:
    return f"{(directory / NAME).stat().st_size / 1e6:.0f} MB"


async def main(directory: Path) -> None:
    settings = Settings(store=f"sqlite:{directory / NAME}", data_dir=str(directory), log_level="error", retain_days=1)
    async with Engine(settings) as engine:
        await fill(engine._parts.store)
        await engine.deploy(DOCUMENT)
        await start_many(engine, "warming up", None)
        await start_many(engine, "alone", None)
        sys.stdout.write(f"the file: {size(directory)}\n")
        sweep = asyncio.ensure_future(engine._parts.pruning.sweep())
        await start_many(engine, "beside pruning", sweep)
        sys.stdout.write(f"pruned {sweep.result()} runs; the file: {size(directory)}\n")
    sys.stdout.write(f"the file after the end: {size(directory)}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as temporary:
        asyncio.run(main(Path(temporary)))
