"""The steps of each work as a Restate service, in a process of its own, over HTTP/2: `… DIRECTORY PORT SERVICE …`.

It notes the steps of W6 in a file, since who measures is another process.
"""

import argparse
import asyncio
import os
from datetime import timedelta
from pathlib import Path

import restate  # pyright: ignore[reportMissingImports] - lives in the bench's own venv
import uvloop
from granian.constants import HTTPModes, Interfaces  # pyright: ignore[reportMissingImports] - the same
from granian.server.embed import Server  # pyright: ignore[reportMissingImports] - the same

from bench.http_client import Client
from bench.subjects.contract import STEPS, Crash, stamp

NOTES = "steps"


def application(directory: Path, service_port: int, seconds: int, crash: Crash):  # noqa: C901 - a list of small functions; Restate takes each where it is defined
    client = Client(service_port)
    notes = os.open(directory / NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    works = restate.Service("Bench")
    waiter = restate.Workflow("Waiter")

    async def noop(n):
        return n + 1

    async def request(n):
        status, _ = await client.post("/", {"n": n})
        assert status == 200
        return n + 1

    async def mark():
        return stamp()

    async def noted(n, step):
        os.write(notes, f"{n} {step}\n".encode())
        if crash.holds(step):
            await asyncio.Event().wait()
        return step

    @works.handler()
    async def W1(context: restate.Context, n: int) -> int:  # noqa: N802 - the name is its address
        for _ in range(STEPS["W1"]):
            n = await context.run_typed("noop", noop, n=n)
        return n

    @works.handler()
    async def W2(context: restate.Context, n: int) -> int:  # noqa: N802 - the name is its address
        for _ in range(STEPS["W2"]):
            n = await context.run_typed("request", request, n=n)
        return n

    @works.handler()
    async def W4(context: restate.Context, n: int) -> int:  # noqa: N802 - the name is its address
        branches = [context.run_typed(f"noop{number}", noop, n=n) for number in range(STEPS["W4"])]
        await restate.gather(*branches)
        return len([await branch for branch in branches])

    @works.handler()
    async def W5(context: restate.Context, n: int) -> float:  # noqa: N802 - the name is its address
        before = await context.run_typed("before", mark)
        await context.sleep(timedelta(seconds=seconds))
        return await context.run_typed("after", mark) - before - seconds

    @works.handler()
    async def W6(context: restate.Context, n: int) -> int:  # noqa: N802 - the name is its address
        for step in range(1, STEPS["W6"] + 1):
            await context.run_typed(f"step{step}", noted, n=n, step=step)
        return n

    @works.handler()
    async def W7(context: restate.Context, given: dict) -> dict:  # noqa: N802 - the name is its address
        return {"output": await context.run_typed("request", request, n=given["n"])}

    @waiter.main()
    async def run(context: restate.WorkflowContext, n: int) -> int:
        return await context.promise("go", type_hint=int).value()

    @waiter.handler()
    async def go(context: restate.WorkflowSharedContext, n: int) -> None:
        await context.promise("go", type_hint=int).resolve(n)

    return restate.app([works, waiter])


async def main(given: argparse.Namespace) -> None:
    crash = Crash(0, holding=given.holding)
    target = application(given.directory, given.service, given.seconds, crash)
    server = Server(
        target,
        port=given.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http2,
        backlog=1024,
        backpressure=4_000,
        log_enabled=False,
    )
    await server.serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("service", type=int)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--holding", action="store_true")
    uvloop.run(main(parser.parse_args()))
