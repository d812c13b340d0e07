"""Tools that take work by event, as tests play them."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from penstock.model.json_value import Json
from tests.server.client import Client, workflow

_numbers = itertools.count()
EVENT = "application/cloudevents+json"
CALL: Json = {"check": {"call": "checknumber", "with": {"number": "${ .number // 7 }"}}}


async def registered(client: Client, name: str, transport: Json = None, **members: Json) -> None:
    """The tool of this name, for checknumber unless it is told otherwise."""
    body = {"capability": "checknumber", "transport": transport or {"kind": "pull"}, **members}
    answer = await client.send("PUT", f"/api/v1/tools/{name}", body)
    assert answer.status in (200, 201), answer


async def deployed(client: Client, name: str, *tasks: Json) -> None:
    assert (await client.deploy(workflow(name, list(tasks) or [CALL]))).status in (200, 201)


async def started(client: Client, name: str, given: Json = None) -> str:
    """The id of a new run."""
    return (await client.post(f"/api/v1/workflows/tests/{name}/runs", given or {})).body["id"]


async def pulled(client: Client, tool: str, query: str = "wait=20") -> list[Json]:
    answer = await client.get(f"/api/v1/tools/{tool}/work?{query}")
    assert (answer.status, answer.media) == (200, "application/cloudevents-batch+json"), answer
    return answer.body


async def one_pulled(client: Client, tool: str, query: str = "wait=20") -> Json:
    (task,) = await pulled(client, tool, query)
    return task


def said(task: Json, what: str, **data: Json) -> Json:
    """What the tool says about a task."""
    names = ("penstocktool", "penstocklease")
    return {
        "specversion": "1.0",
        "id": f"said-{next(_numbers)}",
        "source": "/tests",
        "type": task["type"].removesuffix("triggered") + what,
        "triggeredid": task["id"],
        **{name: task[name] for name in names if name in task},
        "data": data,
    }


async def say(client: Client, task: Json, what: str, **data: Json) -> None:
    answer = await client.send("POST", "/api/v1/events", said(task, what, **data), media=EVENT)
    assert answer.status == 202, answer


async def ended(client: Client, run_id: str) -> Json:
    return await client.until_ended(run_id)


async def told(client: Client, run_id: str, what: str) -> Json:
    """The first lifecycle event of this type, as the stream of the run tells it."""
    async for _, event in client.frames(f"/api/v1/runs/{run_id}/stream"):
        if event["type"].endswith(f".{what}.v1"):
            return event
    raise AssertionError(f"{what} did not happen")


async def types_of(client: Client, run_id: str) -> list[str]:
    """The types of the events that the run published or was given, in order."""
    return [event["type"] for event in (await client.get(f"/api/v1/events?run={run_id}")).body["items"]]


@dataclass
class PushedTool:
    """An HTTP server that is told of tasks: it answers with the first of `statuses`, or with 202."""

    url: str = ""
    statuses: list[int] = field(default_factory=list[int])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])
    engine: Client | None = None
    """Where it answers tasks that it has taken, when it shall."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append((dict(request.headers), body))
        status = self.statuses.pop(0) if self.statuses else 202
        if status == 202 and self.engine is not None:
            await say(self.engine, json.loads(body), "finished", ok=True)
        return web.Response(status=status)


@asynccontextmanager
async def pushed_tool() -> AsyncIterator[PushedTool]:
    tool = PushedTool()
    app = web.Application()
    app.router.add_post("/tasks", tool.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tool.url = f"http://127.0.0.1:{runner.addresses[0][1]}/tasks"
        yield tool
    finally:
        await runner.cleanup()
