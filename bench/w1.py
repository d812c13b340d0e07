"""W1: workflows of five steps that do nothing, so that all that is measured is the engine.

`python -m bench.w1` runs 2,000 of them, 100 at a time, over a SQLite file, each step a Python function in this
process; then some of them one after the other; then the same rows without an engine (`bench.floor`).
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench.floor import Floor
from penstock import Engine
from penstock.model.json_value import Json

STEPS = 5


def document() -> dict[str, Json]:
    return {
        "document": {"dsl": "1.0.3", "namespace": "bench", "name": "w1", "version": "1.0.0"},
        "do": [{f"step{number}": {"call": "noop"}} for number in range(STEPS)],
    }


async def closed_loop(work: Callable[[int], Awaitable[None]], count: int, concurrent: int) -> list[float]:
    """Does `work` for each number, always `concurrent` of them at once; how long each took, in seconds."""
    numbers = iter(range(count))
    took: list[float] = []

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            await work(number)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(concurrent)))
    return took


async def measure(name: str, work: Callable[[int], Awaitable[None]], arguments: argparse.Namespace) -> float:
    """Prints the figures of one kind of work; workflows per second."""
    await closed_loop(work, min(200, arguments.count), arguments.concurrent)
    began, cpu = time.perf_counter(), time.process_time()
    took = await closed_loop(work, arguments.count, arguments.concurrent)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    alone = await closed_loop(work, arguments.alone, 1)
    rate = arguments.count / seconds
    print(
        f"{name:8} {rate:7.0f} workflows/s {rate * STEPS:7.0f} steps/s   {cpu / arguments.count * 1000:.3f} CPU ms"
        f"/workflow   p50 {statistics.median(took) * 1000:.1f} ms at {arguments.concurrent}, "
        f"{statistics.median(alone) * 1000:.2f} ms alone"
    )
    return rate


async def engine(directory: Path, arguments: argparse.Namespace) -> float:
    store = "memory:" if arguments.memory else f"sqlite:{directory / 'engine.db'}"
    async with Engine(store) as running:
        running.tool("noop", noop_in_thread if arguments.threads else noop)
        await running.deploy(document())

        async def work(number: int) -> None:
            result = await (await running.start("bench/w1", {"n": number})).result()
            assert result == {"n": number}

        return await measure("engine", work, arguments)


async def floor(directory: Path, arguments: argparse.Namespace) -> float:
    bare = Floor(directory / "floor.db")
    names = iter(range(10**9))
    try:
        return await measure("floor", lambda _: bare.workflow(f"{next(names):036d}", STEPS), arguments)
    finally:
        await bare.close()


async def noop(given: Json) -> Json:
    return given


def noop_in_thread(given: Json) -> Json:
    return given


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        reached = await engine(Path(directory), arguments)
        if not arguments.no_floor:
            print(f"{reached / await floor(Path(directory), arguments):.1%} of the floor")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000, help="workflows")
    parser.add_argument("--concurrent", type=int, default=100, help="of them at once")
    parser.add_argument("--alone", type=int, default=200, help="workflows one after the other")
    parser.add_argument("--directory", help="where the databases lie")
    parser.add_argument("--memory", action="store_true", help="the engine over a database in memory")
    parser.add_argument("--threads", action="store_true", help="steps that are functions which block")
    parser.add_argument("--no-floor", action="store_true", help="the engine only")
    uvloop.run(main(parser.parse_args()))
