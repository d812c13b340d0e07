"""Twenty times kill -9 of one whole server, over one store, under a hundred runs: nothing is lost or done twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from examples.demo.engine_process import EngineProcess
from penstock.model.json_value import Json

RUNS, KILLS, ROUNDS, SEED = 100, 20, 60, 20261120


class Service:
    """Counts how often each call came, and under which keys."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[tuple[int, int], Counter[str]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        keys = self.keys.setdefault((body["run"], body["i"]), Counter())
        keys[request.headers["Idempotency-Key"]] += 1
        return web.json_response({"run": body["run"], "sum": body["sum"] + body["i"]})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    serving = Service()
    app = web.Application()
    app.router.add_post("/", serving.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    serving.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield serving
    await runner.cleanup()


def workflow(url: str) -> Json:
    body = "${ {run: .run, sum: .sum, i: $i} }"
    tasks = [
        {"add": {"call": "http", "with": {"method": "post", "endpoint": url, "body": body}}},
        {"rest": {"wait": {"milliseconds": 300}}},
    ]
    loop = {"for": {"in": f"${{ [range({ROUNDS})] }}", "each": "i"}, "do": tasks}
    document = {"dsl": "1.0.3", "namespace": "tests", "name": "kills", "version": "1.0.0"}
    return {"document": document, "do": [{"loop": loop}]}


@pytest.mark.slow
async def test_a_server_killed_twenty_times_in_a_row_loses_nothing(tmp_path: Path, service: Service) -> None:
    engine, moments = EngineProcess(tmp_path), random.Random(SEED)
    async with aiohttp.ClientSession() as session:
        runs = f"{engine.base_url}/api/v1/runs"

        async def get(url: str) -> Json:
            async with session.get(url) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        async def start(number: int) -> str:
            url = f"{engine.base_url}/api/v1/workflows/tests/kills/runs"
            async with session.post(url, json={"run": number, "sum": 0}) as answer:
                assert answer.status == 202, await answer.text()
                return (await answer.json())["id"]

        try:
            await engine.start(session)
            async with session.post(f"{engine.base_url}/api/v1/workflows", json=workflow(service.url)) as answer:
                assert answer.status == 201, await answer.text()
            ids = await asyncio.gather(*(start(number) for number in range(RUNS)))
            for _ in range(KILLS):
                await asyncio.sleep(moments.random() * 0.5)  # the moment of the kill is what is random here
                engine.kill()
                await engine.start(session)
            ended = await get(f"{runs}?status=completed&limit=1000")
            assert len(ended["items"]) < RUNS, "every run had ended before the last kill: the test proves too little"
            async with asyncio.timeout(90):
                for identifier in ids:
                    await _last_event(session, f"{runs}/{identifier}/stream")
            for number, identifier in enumerate(ids):
                run = await get(f"{runs}/{identifier}")
                assert (run["status"], run["output"]) == ("completed", {"run": number, "sum": sum(range(ROUNDS))})
                history = (await get(f"{runs}/{identifier}/history?limit=1000"))["items"]
                moved = Counter((e["type"], e["data"].get("entry", 0), e["data"].get("attempt", 0)) for e in history)
                assert moved.most_common(1)[0][1] == 1, "a transition was applied twice"
                assert sum(e["data"].get("task", "").endswith("/add") for e in history) == 3 * ROUNDS
        finally:
            engine.stop()
    assert len(service.keys) == RUNS * ROUNDS
    assert all(len(keys) == 1 for keys in service.keys.values()), "a call was sent again under another key"


async def _last_event(session: aiohttp.ClientSession, url: str) -> None:
    """Returns when the run has ended: its stream ends with it."""
    async with session.get(url) as answer:
        assert answer.status == 200
        async for _ in answer.content:
            pass
