"""One measurement of one subject: its processes, and the figures that come of them."""

import asyncio
import json
import signal
import sqlite3
import sys
import time

import penstock
from bench.http_client import Client
from bench.processes import LONGEST_SECONDS, Failed, Place, free_port, started
from bench.subjects.contract import Setup
from bench.works import Figures, closed_loop_of


async def measure(place: Place) -> tuple[Figures, str]:
    """Figures by name, and the subject's version. Raises `Failed`."""
    if place.work == "W6":
        return await _crash(place)
    if place.work == "W7":
        return await (_penstock_server(place) if place.name.startswith("penstock") else _front(place))
    async with started(place.command(), place.directory / "errors") as process:
        return _figures(await process.says())


async def _crash(place: Place) -> tuple[Figures, str]:
    """W6: every run stands in its third step; SIGKILL; a new process goes on with them."""
    errors = place.directory / "errors"
    async with started(place.command("--life=1"), errors) as process:
        await process.says()
        await process.end(signal.SIGKILL)
    began = time.perf_counter()
    async with started(place.command("--life=2"), errors) as process:
        figures, version = _figures(await process.says())
        return {**figures, "process start to done s": time.perf_counter() - began}, version


async def _penstock_server(place: Place) -> tuple[Figures, str]:
    """W7 over the HTTP interface of `penstock up`, as anybody would use it."""
    port = free_port()
    environment = {
        "PENSTOCK_DATA_DIR": str(place.directory),
        "PENSTOCK_STORE": place.database,
        "PENSTOCK_PORT": str(port),
        "PENSTOCK_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "penstock", "up"]
    async with started(command, place.directory / "errors", environment):
        client = Client(port)
        await _deployed(client, place)
        figures = await _starts(client, "/api/v1/workflows/bench/w7/runs?wait=60", place)
        client.close()
    return figures, f"{penstock.__version__}, SQLite {sqlite3.sqlite_version}"


async def _deployed(client: Client, place: Place) -> None:
    from bench.subjects.contract import Crash  # noqa: PLC0415 - only the subject that is measured is loaded
    from bench.subjects.penstock_engine import TASKS, document  # noqa: PLC0415 - the engine, for this subject only

    setup = Setup(place.directory, "", place.service, 0, Crash(0, holding=False))
    text = json.dumps(document("w7", TASKS["W7"](setup)))
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            status, answer = await client.post("/api/v1/workflows", text)
        except OSError:
            if time.monotonic() > deadline:
                raise Failed("the server does not answer") from None
            await asyncio.sleep(0.05)
            continue
        if status not in {200, 201}:
            raise Failed(answer.decode(errors="replace")[:200])
        return


async def _front(place: Place) -> tuple[Figures, str]:
    async with started(place.command(), place.directory / "errors") as process:
        said = await process.says()
        client = Client(int(str(said["port"])))
        figures = await _starts(client, "/", place)
        client.close()
    return figures, str(said["version"])


async def _starts(client: Client, path: str, place: Place) -> Figures:
    numbers = iter(range(10**9))

    async def one() -> float:
        number, began = next(numbers), time.perf_counter()
        status, body = await client.post(path, {"n": number})
        if status != 200:
            raise Failed(f"{status} {body.decode(errors='replace')[:200]}")
        output = json.loads(body)["output"]
        assert (output["n"] if isinstance(output, dict) else output) == number + 1, body
        return time.perf_counter() - began

    figures = await closed_loop_of(one, place.sizes)
    # What the figures of spending say is the client here, not the subject.
    return {name: value for name, value in figures.items() if name not in {"CPU ms/run", "KB written/run"}}


def _figures(said: dict[str, object]) -> tuple[Figures, str]:
    figures = said["figures"]
    assert isinstance(figures, dict)
    return figures, str(said["version"])
