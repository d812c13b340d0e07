"""`kill -9` at random moments: nothing is lost, no transition happens twice, every run's result is right."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings

RUNS = 100
KILLS = 20
SEED = 20_261_120
CHILD = Path(__file__).with_name("kill_child.py")
SOURCES = Path(__file__).resolve().parents[2] / "src"


class Counting:
    """Echoes bodies, and remembers which keys came with which body."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[tuple[str, int], set[str]] = {}
        self.calls = Counter[str]()

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls[request.path] += 1
        place = (request.path, body["n"])
        self.keys.setdefault(place, set()).add(request.headers["Idempotency-Key"])
        await asyncio.sleep(0.01)
        return web.json_response({"body": body})


@asynccontextmanager
async def counting() -> AsyncIterator[Counting]:
    service = Counting()
    app = web.Application()
    app.router.add_post("/{tail:.*}", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


async def one_life(directory: Path, url: str, kill_after_s: float | None, store: str = "", runs: int = RUNS) -> bool:
    """Lets the engine live; True if it said that all is done before it was killed."""
    store = store or sqlite_in(directory)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), str(directory), url, str(runs), store),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(kill_after_s if kill_after_s is not None else 90):
            said = (await process.stdout.read()).decode()
            await process.wait()
            assert process.returncode == 0, f"the engine ended with {process.returncode}"
            return "done" in said
    except TimeoutError:
        assert kill_after_s is not None, "the last engine did not finish"
        process.kill()
        await process.wait()
        return False


@pytest.mark.slow
async def test_killed_engines_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    """Twenty kills, spread over as many stores as it takes; each store is examined when its runs have ended."""
    rng = random.Random(SEED)
    kills = stores = 0
    while kills < KILLS:
        stores += 1
        directory = tmp_path / str(stores)
        directory.mkdir()
        async with counting() as service:
            while not await one_life(directory, service.url, 0.3 + rng.random() * 0.8 if kills < KILLS else None):
                kills += 1
            store = sqlite_in(directory)
            await examine(Settings(store=store, data_dir=str(directory), log_level="error"), service, RUNS)


def sqlite_in(directory: Path) -> str:
    return f"sqlite:{directory}/penstock.db"


async def examine(settings: Settings, service: Counting, count: int) -> None:
    """Every run has ended well, and its journal is whole."""
    async with Engine(settings) as engine:
        runs = await engine.list_runs(limit=1000)
        assert len(runs) == count
        for row in runs:
            run = await engine.get_run(row.id)
            n = run.input["n"]
            assert (run.status, run.output) == ("completed", {"n": n * 2 + 6}), (run.status, run.error)
            rows = await engine._parts.store.journal(run.id, 0, 10_000)
            assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
            assert len(rows) == run.seq
            assert (
                Counter(task.reference for task in run.tasks if "loop/" not in task.reference).most_common(1)[0][1] == 1
            )
            history = await engine.history(run.id, 0, 10_000)
            assert len({event["id"] for event in history.events}) == len(history.events)
            finals = [e["type"] for e in history.events if e["type"].endswith("workflow.completed.v1")]
            assert len(finals) == 1
    # A call that was sent again after a crash carried the key that it had before.
    assert {place: len(keys) for place, keys in service.keys.items() if len(keys) != 1} == {}
