"""Steps in order, and what the store knows of them when the engine is killed between two: seen from outside."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web

from examples.demo.api import Api
from examples.demo.engine_process import EngineProcess

WAIT_S: Final = 20
STEPS: Final = ("first", "second", "third")


class Recorder:
    """A service that notes when each call begins and ends, and lets `second` end only when it is allowed to."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.keys: list[tuple[str, str]] = []
        self.second_called = asyncio.Event()
        self.second_may_end = asyncio.Event()
        self.base_url = ""

    async def handle(self, request: web.Request) -> web.Response:
        step = request.match_info["step"]
        self.keys.append((step, request.headers["Idempotency-Key"]))
        self.notes.append(f"{step} begins")
        if step == "second":
            self.second_called.set()
            await self.second_may_end.wait()
        else:
            await asyncio.sleep(0.02)  # long enough that a step which does not wait for this one would show
        self.notes.append(f"{step} ends")
        return web.json_response({"step": step})


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    app = web.Application()
    app.router.add_post("/{step}", recorder.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    recorder.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield recorder
    recorder.second_may_end.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def engine(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[EngineProcess]:
    engine = EngineProcess(tmp_path)
    await engine.start(session)
    yield engine
    engine.stop()


def document(base_url: str, steps: tuple[str, ...]) -> str:
    calls = [
        {step: {"call": "http", "with": {"method": "post", "endpoint": f"{base_url}/{step}", "body": {}}}}
        for step in steps
    ]
    head = {"dsl": "1.0.3", "namespace": "test", "name": "steps", "version": "1.0.0"}
    return json.dumps({"document": head, "do": calls})


async def start(api: Api, base_url: str, steps: tuple[str, ...]) -> str:
    await api.post("/api/v1/workflows", document(base_url, steps))
    return (await api.post("/api/v1/workflows/test/steps/runs", "{}", key="one")).body["id"]


async def ended(api: Api) -> dict[str, Any]:
    """The run once it has ended: starting it again under its key is the same run, and waits for it."""
    return (await api.post(f"/api/v1/workflows/test/steps/runs?wait={WAIT_S}", "{}", key="one")).body


@pytest.mark.mission("M002")
async def test_a_step_begins_only_after_the_one_before_has_ended(
    engine: EngineProcess, session: aiohttp.ClientSession, recorder: Recorder
) -> None:
    recorder.second_may_end.set()
    api = Api(session, engine.base_url)
    await start(api, recorder.base_url, STEPS)
    assert (await ended(api))["status"] == "completed"
    assert recorder.notes == [f"{step} {what}" for step in STEPS for what in ("begins", "ends")]


@pytest.mark.mission("M006", "M009")
async def test_a_step_that_ended_before_the_kill_is_stored_and_never_called_again(
    engine: EngineProcess, session: aiohttp.ClientSession, recorder: Recorder
) -> None:
    api = Api(session, engine.base_url)
    run_id = await start(api, recorder.base_url, ("first", "second"))
    await recorder.second_called.wait()
    engine.kill()
    recorder.second_called.clear()
    await engine.start(session)
    await recorder.second_called.wait()  # called again, because the run waits for it

    run = await api.get(f"/api/v1/runs/{run_id}")
    tasks = [(task["name"], task["status"]) for task in run["tasks"]]
    assert tasks == [("first", "completed"), ("second", "running")]

    recorder.second_may_end.set()
    run = await ended(api)
    assert (run["id"], run["status"], run["output"]) == (run_id, "completed", {"step": "second"})
    assert [step for step, _ in recorder.keys] == ["first", "second", "second"]
    assert recorder.keys[1] == recorder.keys[2], "the repeated call has the key of the first"
