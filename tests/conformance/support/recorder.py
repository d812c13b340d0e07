"""The helper service of the machinery cases, with the routes their notes describe."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from penstock.model.json_value import Json


@dataclass
class Recorder:
    """Where it listens, and every (path, body) it was sent, in order."""

    base_url: str = ""
    received: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])

    async def record(self, request: web.Request) -> web.Response:
        """`POST /rec/K` answers `{"seen_K": body}`."""
        body = await self._body(request)
        return web.json_response({f"seen_{request.match_info['key']}": body})

    async def fail(self, request: web.Request) -> web.Response:
        """`POST /fail` answers 500 and a JSON object."""
        await self._body(request)
        return web.json_response({"error": "boom"}, status=500)

    async def list_of_two(self, request: web.Request) -> web.Response:
        """`POST /list` answers 200 and an array, which is no set of outputs."""
        await self._body(request)
        return web.json_response([1, 2])

    async def _body(self, request: web.Request) -> Json:
        body = json.loads(await request.text())
        self.received.append((request.path, body))
        return body


@asynccontextmanager
async def running_recorder() -> AsyncIterator[Recorder]:
    """A recorder on a free port until the block ends."""
    recorder = Recorder()
    application = web.Application()
    application.add_routes(
        [
            web.post("/rec/{key}", recorder.record),
            web.post("/fail", recorder.fail),
            web.post("/list", recorder.list_of_two),
        ]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        recorder.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield recorder
    finally:
        await runner.cleanup()
