"""Real servers on loopback for these tests: single endpoints, or the whole interface over a real engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from penstock.model.limits import MAX_BODY_BYTES
from penstock.runtime.logs import make_log
from penstock.runtime.settings import Settings
from penstock.server.access import access_guard
from penstock.server.endpoints import Endpoint, Handler, Method, register
from penstock.server.problems import problem_answers
from tests.server.client import Client, client_of

PROBLEM: Final = "application/problem+json"


def endpoint(method: Method, path: str, handler: Handler) -> Endpoint:
    """An endpoint for a test: only what routing needs."""
    return Endpoint(method, path, "", handler, ())


@asynccontextmanager
async def serving(endpoints: Sequence[Endpoint], *, token: str | None = None) -> AsyncIterator[str]:
    """The base URL of a server with these endpoints behind the real middlewares."""
    app = web.Application(
        client_max_size=MAX_BODY_BYTES, middlewares=[problem_answers(make_log(Settings())), access_guard(token)]
    )
    register(app, endpoints)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(endpoints: Sequence[Endpoint], *, token: str | None = None) -> AsyncIterator[Client]:
    """A client of such a server; it sends no token of its own."""
    async with serving(endpoints, token=token) as base_url, client_of(base_url) as client:
        yield client


async def raw_exchange(base_url: str, request: bytes) -> bytes:
    """Everything that the server answers to bytes that no client library would send."""
    host, _, port = base_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def chunked_post(path: str, body: bytes) -> bytes:
    """A POST of JSON whose length is not said in advance."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
