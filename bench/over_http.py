"""Load over HTTP: W7, with each subject's interface; W9, with one or more nodes over one PostgreSQL database."""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import penstock
from bench.http_client import Client
from bench.ports import free_port
from bench.processes import LONGEST_SECONDS, Failed, Place, Process, started
from bench.spent import cpu_of, cpu_seconds, tree_cpu_of
from bench.subjects.contract import STEPS, Crash, Setup
from bench.works import Figures, closed_loop_of, latency_alone, throughput

UP = (sys.executable, "-m", "penstock", "up")
LISTENING_SECONDS = 20.0


async def penstock_server(place: Place) -> tuple[Figures, str]:
    """W7 over the HTTP interface of `penstock up`, as anybody would use it."""
    port = free_port()
    async with started(UP, place.directory / "errors", _settings(place, port)):
        client = Client(port)
        await _deployed(client, place, "W7")
        figures = await _starts(client, "/api/v1/workflows/bench/w7/runs?wait=60", place, STEPS["W7"])
        client.close()
    return figures, f"{penstock.__version__}, SQLite {sqlite3.sqlite_version}"


async def front(place: Place) -> tuple[Figures, str]:
    """W7 over what a subject has: an interface of its own, or the smallest one that can be put before it."""
    async with started(place.command(), place.directory / "errors") as process:
        said = await process.says()
        client = Client(int(str(said["port"])))
        figures = await _starts(client, str(said["path"]), place, STEPS["W7"])
        client.close()
    return figures, str(said["version"])


async def several_nodes(place: Place) -> tuple[Figures, str]:
    """W9: `size` engine processes over one database, the load spread over all of them."""
    async with AsyncExitStack() as stack:
        if place.work == "W9a":
            started_nodes = [await _embedded_node(stack, place, number) for number in range(place.sizes.size)]
            path, steps = "/", STEPS["W1"]
        else:
            started_nodes = [await _served_node(stack, place, number) for number in range(place.sizes.size)]
            path, steps = "/api/v1/workflows/bench/w2/runs?wait=60", STEPS["W2"]
        nodes = [process.id for process, _ in started_nodes]
        clients = [Client(port) for _, port in started_nodes]
        async with asyncio.timeout(LONGEST_SECONDS):
            figures = await _by_all_and_by_one(clients, path, place, steps, nodes)
        for client in clients:
            client.close()
    return {"nodes": len(nodes), **figures}, penstock.__version__


async def _by_all_and_by_one(
    clients: Sequence[Client], path: str, place: Place, steps: int, nodes: Sequence[int]
) -> Figures:
    """Starts through every node in turn, with what that costs whom; then through the first one alone."""
    one = _starter(clients, path, steps)
    await throughput(one, replace(place.sizes, seconds=place.sizes.seconds / 3))
    figures, _ = await latency_alone(one, place.sizes)
    before = [sum(map(cpu_of, nodes)), tree_cpu_of(place.postgres), cpu_seconds([])]
    figures |= await throughput(one, place.sizes)
    after = [sum(map(cpu_of, nodes)), tree_cpu_of(place.postgres), cpu_seconds([])]
    names = ("CPU ms/run of the nodes", "CPU ms/run of PostgreSQL", "CPU ms/run of the load")
    spent = [(late - early) / figures["runs"] * 1_000 for early, late in zip(before, after, strict=True)]
    figures |= dict(zip(names, spent, strict=True))
    figures["cores busy"] = sum(spent) * figures["runs/s"] / 1_000
    by_one = await throughput(_starter(clients[:1], path, steps), place.sizes)
    return {**figures, "runs/s when one node takes all starts": by_one["runs/s"]}


async def _embedded_node(stack: AsyncExitStack, place: Place, number: int) -> tuple[Process, int]:
    directory = place.directory / f"node{number}"
    directory.mkdir()
    command = [*place.command(), f"--directory={directory}"]
    process = await stack.enter_async_context(started(command, directory / "errors"))
    return process, int(str((await process.says())["port"]))


async def _served_node(stack: AsyncExitStack, place: Place, number: int) -> tuple[Process, int]:
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
    return process, port


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


async def _starts(client: Client, path: str, place: Place, steps: int) -> Figures:
    async with asyncio.timeout(LONGEST_SECONDS):
        return await closed_loop_of(_starter([client], path, steps), place.sizes)


def _starter(clients: Sequence[Client], path: str, steps: int) -> Callable[[], Awaitable[float]]:
    """Starts one run after the other, by the clients in turn, and waits for its output."""
    numbers = iter(range(10**9))

    async def one() -> float:
        number, began = next(numbers), time.perf_counter()
        status, body = await clients[number % len(clients)].post(path, {"n": number})
        if status != 200:
            raise Failed(f"{status} {body.decode(errors='replace')[:200]}")
        output = json.loads(body)["output"]
        assert (output["n"] if isinstance(output, dict) else output) == number + steps, body
        return time.perf_counter() - began

    return one
