"""Every example workflow is valid without a warning, and does what its header says, on an engine as users start it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from examples.demo.engine_process import EngineProcess
from penstock.model.executable import refusals
from penstock.model.json_value import Json
from penstock.model.load import load_document
from penstock.notations import check_workflow

WORKFLOWS: Final = Path(__file__).resolve().parent.parent.parent / "examples" / "workflows"
NAMES: Final = sorted(path.stem for path in WORKFLOWS.glob("*.yaml"))
WAIT_S: Final = 20
IN_DEMO: Final = {"order"}


class Server:
    """A running engine, asked over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def deploy(self, name: str) -> str:
        """Stores an example; the path of its runs."""
        body = (WORKFLOWS / f"{name}.yaml").read_bytes()
        answer = await self._post("/api/v1/workflows", body, "application/yaml")
        return f"/api/v1/workflows/{answer['namespace']}/{answer['name']}/runs"

    async def run(self, name: str, given: Json) -> dict[str, Any]:
        path = await self.deploy(name)
        return await self._post(f"{path}?wait={WAIT_S}", json.dumps(given).encode(), "application/json")

    async def _post(self, path: str, body: bytes, media: str) -> dict[str, Any]:
        headers = {"Content-Type": media}
        async with self._session.post(self._base_url + path, data=body, headers=headers) as response:
            assert response.ok, await response.text()
            return await response.json()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    engine = EngineProcess(tmp_path, store="memory:")
    async with aiohttp.ClientSession() as session:
        try:
            await engine.start(session)
            yield Server(session, engine.base_url)
        finally:
            engine.stop()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_valid_and_executable_without_a_warning(name: str) -> None:
    loaded = load_document((WORKFLOWS / f"{name}.yaml").read_bytes(), name=name)
    assert loaded.diagnostics == ()
    assert check_workflow(loaded) == []
    assert refusals(loaded) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_begins_with_a_comment_that_says_what_it_shows(name: str) -> None:
    assert (WORKFLOWS / f"{name}.yaml").read_text().startswith("# ")


CASES: Final[dict[str, tuple[Json, Json]]] = {
    "hello": ({"name": "Ada"}, {"greeting": "Hello, Ada!"}),
    "wait-timeout": ({}, {"gaveUp": True, "because": "Timeout", "status": 408}),
    "fork-compete": ({}, {"winner": "hare"}),
    "listen-correlation": ({"order": "A7"}, {"order": "A7", "at": "the right door"}),
    "subflow-child": ({"length": 3, "width": 4}, {"area": 12}),
    "for-switch": ({"numbers": [3, 10, 40, 9, 7]}, {"small": 3, "large": 2}),
}
OTHERS: Final = {"http-retry", "subflow"}


def test_every_example_is_run_by_a_test() -> None:
    assert set(NAMES) == set(CASES) | OTHERS | IN_DEMO


@pytest.mark.parametrize("name", CASES)
async def test_the_example_runs_to_its_output(server: Server, name: str) -> None:
    given, output = CASES[name]
    run = await server.run(name, given)
    assert run["status"] == "completed", run["error"]
    assert run["output"] == output


async def test_a_subflow_runs_and_gives_its_output_to_the_parent(server: Server) -> None:
    await server.deploy("subflow-child")
    run = await server.run("subflow", {"length": 3, "width": 4})
    assert (run["status"], run["output"]) == ("completed", {"cost": 240})


@pytest.mark.parametrize(("failures", "status"), [(0, "completed"), (3, "completed"), (4, "faulted")])
async def test_a_failing_service_is_called_again_three_times_and_no_more(
    server: Server, failures: int, status: str
) -> None:
    keys: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) <= failures:
            return web.json_response({"title": "later"}, status=503)
        return web.json_response({"heard": (await request.json())["message"]})

    async with _service(answer) as address:
        run = await server.run("http-retry", {"address": address, "text": "hello"})
    assert run["status"] == status
    assert len(keys) == min(failures, 3) + 1
    assert len(set(keys)) == len(keys), "after a definite failure each attempt has a key of its own"
    if status == "completed":
        assert run["output"] == {"heard": "hello"}
    else:
        assert run["error"]["status"] == 503


@asynccontextmanager
async def _service(handler: Handler) -> AsyncIterator[str]:
    """The address of an HTTP server on a free port, for the time of a block."""
    app = web.Application()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.mission("M131")
async def test_one_command_runs_a_document_without_a_server() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "penstock",
        "run",
        str(WORKFLOWS / "hello.yaml"),
        "-o",
        "json",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(output) == {"status": "completed", "output": {"greeting": "Hello, world!"}, "error": None}
