"""Where the time of a work goes: `python -m bench.profile W1`.

Two passes over new files: the first without a profiler, for the costs of a step as the store and the system count them;
the second under cProfile, for the shares of functions. The profiler makes small functions look dearer than they are.
"""

import argparse
import asyncio
import cProfile
import pstats
import sqlite3
import tempfile
import time
from pathlib import Path

import uvloop

from bench.http_service import port_of, serve
from bench.subjects.contract import STEPS, Crash, Setup
from bench.subjects.penstock_engine import PenstockEngine

COUNTED = ("penstock_commits_total", "penstock_store_commits_total", "penstock_store_turns_total")
COUNTED += ("penstock_store_statements_total", "penstock_messages_total", "penstock_expression_evaluations_total")
CONCURRENT = 100


async def runs(subject: PenstockEngine, work: str, first: int, count: int) -> None:
    """W1 and W2 as closed loops; W3 with all runs waiting before the events come."""
    numbers = iter(range(first, first + count))
    if work == "W3":
        handles = [await subject.start(work, number) for number in numbers]
        results = [asyncio.ensure_future(subject.result(handle)) for handle in handles]
        await asyncio.gather(*(subject.signal(handle, first + at) for at, handle in enumerate(handles)))
        await asyncio.gather(*results)
        return

    async def client() -> None:
        for number in numbers:
            await subject.result(await subject.start(work, number))

    await asyncio.gather(*(client() for _ in range(CONCURRENT)))


def counters(subject: PenstockEngine) -> dict[str, float]:
    found: dict[str, float] = dict.fromkeys(COUNTED, 0.0)
    for line in subject.engine.runtime.metrics.render().decode().splitlines():
        name, _, value = line.rpartition(" ")
        if (plain := name.partition("{")[0]) in found:
            found[plain] += float(value)
    return found


async def counted(setup: Setup, work: str, count: int) -> None:
    subject = PenstockEngine(setup)
    await subject.open(work)
    await runs(subject, work, 0, 300)
    before, cpu, loop, began = counters(subject), time.process_time(), time.thread_time(), time.perf_counter()
    size = stored_bytes(setup.directory)
    await runs(subject, work, 10_000, count)
    seconds, cpu, loop = time.perf_counter() - began, time.process_time() - cpu, time.thread_time() - loop
    steps = STEPS.get(work, 1)
    print(f"{count} runs of {work}, {count / seconds:.0f} runs/s")
    print(f"CPU of this process: {cpu / count * 1e6:.0f} µs/run, {cpu / count / steps * 1e6:.0f} µs/step")
    print(f"  event loop {loop / cpu:.0%}, all other threads {1 - loop / cpu:.0%}; processor busy {cpu / seconds:.0%}")
    for name, value in counters(subject).items():
        each = (value - before[name]) / count
        print(f"{name}: {each:.3f} per run, {each / steps:.3f} per step")
    print(f"stored: {(stored_bytes(setup.directory) - size) / count:.0f} bytes per run")
    await subject.close()
    tables(setup.directory / "engine.db")


def stored_bytes(directory: Path) -> int:
    """Pages in use of the database as a reader sees it, its log included."""
    connection = sqlite3.connect(f"file:{directory / 'engine.db'}?mode=ro", uri=True)
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS)
    connection.close()
    return (pages - free) * size


PRAGMAS = ("page_count", "freelist_count", "page_size")


def tables(path: Path) -> None:
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        count = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - our own tables
        print(f"  table {name}: {count} rows")
    connection.close()


async def profiled(setup: Setup, work: str, count: int, lines: int) -> None:
    subject = PenstockEngine(setup)
    await subject.open(work)
    await runs(subject, work, 0, 100)
    profile = cProfile.Profile(time.thread_time)  # the event loop's thread, without its waiting
    profile.enable()
    await runs(subject, work, 10_000, count)
    profile.disable()
    await subject.close()
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(lines)
    pstats.Stats(profile).sort_stats("cumtime").print_stats("penstock|msgspec", lines)


async def main(arguments: argparse.Namespace) -> None:
    async def successor(given: dict[str, int]) -> object:
        return {"n": given["n"] + 1}

    service = await serve(successor)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        for name in ("counted", "profiled"):
            place = Path(directory) / name
            place.mkdir()
            setup = Setup(place, "", port_of(service), 1, Crash(0, holding=False))
            if name == "counted":
                await counted(setup, arguments.work, arguments.count)
            else:
                await profiled(setup, arguments.work, arguments.count, arguments.lines)
    service.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="?", default="W1", choices=["W1", "W2", "W3"])
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--lines", type=int, default=25, help="functions that are shown")
    parser.add_argument("--directory", help="where the database lies")
    uvloop.run(main(parser.parse_args()))
