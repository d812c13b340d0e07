"""Streams carry items, show that they live, and end when they should."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from penstock.errors import InfrastructureError
from penstock.server.event_stream import StreamItem, Streams
from tests.server.support import endpoint, serving

ITEM = StreamItem("7", "task.completed", {"text": "two\nlines"})
FRAME = b'id: 7\nevent: task.completed\ndata: {"text":"two\\nlines"}\n\n'


class Source:
    """Items given by the test; remembers whether its reader let go of it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[StreamItem | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def items(self) -> AsyncIterator[StreamItem]:
        try:
            while (item := await self.queue.get()) is not None:
                yield item
        finally:
            self.closed.set()


async def test_items_heartbeats_and_end() -> None:
    source, streams = Source(), Streams(asyncio.Event(), heartbeat_ms=10)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streams.send(request, source.items())

    async with serving([endpoint("GET", "/x", handler)]) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x") as response:
            assert response.content_type == "text/event-stream"
            for _ in range(3):
                assert await response.content.readuntil(b"\n\n") == b": still here\n\n"
            source.queue.put_nowait(ITEM)
            while (chunk := await response.content.readuntil(b"\n\n")).startswith(b":"):
                continue
            assert chunk == FRAME
            source.queue.put_nowait(None)
            assert (await response.read()).replace(b": still here\n\n", b"") == b""
        assert source.closed.is_set()


async def test_a_reader_that_leaves_frees_its_place() -> None:
    source, streams = Source(), Streams(asyncio.Event(), most=1, heartbeat_ms=5)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streams.send(request, source.items())

    async with serving([endpoint("GET", "/x", handler)]) as base:
        async with aiohttp.ClientSession() as client, client.get(f"{base}/x") as first:
            await first.content.readuntil(b"\n\n")
            async with client.get(f"{base}/x") as second:
                assert second.status == 503
                assert "1 live streams" in (await second.json(content_type=None))["detail"]
        await asyncio.wait_for(source.closed.wait(), 10)
        async with aiohttp.ClientSession() as client, client.get(f"{base}/x") as third:
            assert third.status == 200


async def test_closing_ends_streams() -> None:
    source, closing = Source(), asyncio.Event()
    streams = Streams(closing)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streams.send(request, source.items())

    async with (
        serving([endpoint("GET", "/x", handler)]) as base,
        aiohttp.ClientSession() as client,
        client.get(f"{base}/x") as response,
    ):
        await response.content.readuntil(b"\n\n")
        closing.set()
        assert await response.read() == b""
        await source.closed.wait()


async def test_a_stream_whose_source_fails_ends() -> None:
    async def items() -> AsyncIterator[StreamItem]:
        yield ITEM
        raise InfrastructureError("the disk is full")

    streams = Streams(asyncio.Event())

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streams.send(request, items())

    async with (
        serving([endpoint("GET", "/x", handler)]) as base,
        aiohttp.ClientSession() as client,
        client.get(f"{base}/x") as response,
    ):
        assert (await response.read()).endswith(FRAME)
