"""Load over HTTP: W7, with each subject's interface; W9, with one or more nodes over one PostgreSQL database."""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import penstock
from bench.http_client import Client
from bench.ports import free_port
from bench.processes import LONGEST_SECONDS, Failed, Place, started
from bench.subjects.contract import STEPS, Crash, Setup
from bench.works import Figures, closed_loop_of

UP = (sys.executable, "-m", "penstock", "up")
LISTENING_SECONDS = 20.0


async def penstock_server(place: Place) -> tuple[Figures, str]:
    """W7 over the HTTP interface of `penstock up`, as anybody would use it."""
    port = free_port()
    async with started(UP, place.directory / "errors", _settings(place, port)):
        client = Client(port)
        await _deployed(client, place, "W7")
        figures = await _starts([client], "/api/v1/workflows/bench/w7/runs?wait=60", place, STEPS["W7"])
        client.close()
    return figures, f"{penstock.__version__}, SQLite {sqlite3.sqlite_version}"


async def front(place: Place) -> tuple[Figures, str]:
    """W7 over what a subject has: an interface of its own, or the smallest one that can be put before it."""
    async with started(place.command(), place.directory / "errors") as process:
        said = await process.says()
        client = Client(int(str(said["port"])))
        figures = await _starts([client], str(said["path"]), place, STEPS["W7"])
        client.close()
    return figures, str(said["version"])


async def several_nodes(place: Place) -> tuple[Figures, str]:
    """W9: `size` engine processes over one database, the load spread over all of them."""
    async with AsyncExitStack() as stack:
        if place.work == "W9a":
            ports = [await _embedded_node(stack, place, number) for number in range(place.sizes.size)]
            path, steps = "/", STEPS["W1"]
        else:
            ports = [await _served_node(stack, place, number) for number in range(place.sizes.size)]
            path, steps = "/api/v1/workflows/bench/w2/runs?wait=60", STEPS["W2"]
        clients = [Client(port) for port in ports]
        figures = await _starts(clients, path, place, steps)
        for client in clients:
            client.close()
    return {"nodes": len(ports), **figures}, penstock.__version__


async def _embedded_node(stack: AsyncExitStack, place: Place, number: int) -> int:
    directory = place.directory / f"node{number}"
    directory.mkdir()
    command = [*place.command(), f"--directory={directory}"]
    process = await stack.enter_async_context(started(command, directory / "errors"))
    return int(str((await process.says())["port"]))


async def _served_node(stack: AsyncExitStack, place: Place, number: int) -> int:
    directory = place.directory / f"node{number}"
    directory.mkdir()
    port = free_port()
    settings = {**_settings(place, port), "PENSTOCK_DATA_DIR": str(directory)}
    process = await stack.enter_async_context(started(UP, directory / "errors", settings))
    client = Client(port)
    try:
        await _deployed(client, place, "W2")
    except Failed:
        raise Failed(process.why()) from None
    client.close()
    return port


def _settings(place: Place, port: int) -> dict[str, str]:
    return {
        "PENSTOCK_DATA_DIR": str(place.directory),
        "PENSTOCK_STORE": place.database,
        "PENSTOCK_PORT": str(port),
        "PENSTOCK_LOG_LEVEL": "error",
    }


async def _deployed(client: Client, place: Place, work: str) -> None:
    """Waits until the server listens, and gives it the workflow."""
    from bench.subjects.penstock_engine import TASKS, document  # noqa: PLC0415 - the engine, for this subject only

    setup = Setup(place.directory, "", place.service, 0, Crash(0, holding=False))
    text = json.dumps(document(work, TASKS[work](setup)))
    deadline = time.monotonic() + LISTENING_SECONDS
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


async def _starts(clients: Sequence[Client], path: str, place: Place, steps: int) -> Figures:
    """Starts run by run, by the clients in turn, each of which waits for the output."""
    numbers = iter(range(10**9))

    async def one() -> float:
        number, began = next(numbers), time.perf_counter()
        status, body = await clients[number % len(clients)].post(path, {"n": number})
        if status != 200:
            raise Failed(f"{status} {body.decode(errors='replace')[:200]}")
        output = json.loads(body)["output"]
        assert (output["n"] if isinstance(output, dict) else output) == number + steps, body
        return time.perf_counter() - began

    async with asyncio.timeout(LONGEST_SECONDS):
        return await closed_loop_of(one, place.sizes)
