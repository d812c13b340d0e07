"""An HTTP tool for tests: it keeps what it was sent and answers when it is let."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from penstock.model.json_value import Json


class HttpTool:
    """`POST /{name}` answers `{name: body}` with `status`, after `released` is set."""

    def __init__(self) -> None:
        self.base_url = ""
        self.status = 200
        self.received: list[tuple[str, Json]] = []
        self.called = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = await request.json()
        self.received.append((name, body))
        self.called.set()
        await self.released.wait()
        return web.json_response({name: body}, status=self.status)


@asynccontextmanager
async def running_http_tool() -> AsyncIterator[HttpTool]:
    """A tool that listens until the block ends."""
    tool = HttpTool()
    app = web.Application()
    app.router.add_post("/{name}", tool.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tool.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield tool
    finally:
        tool.released.set()
        await runner.cleanup()
