"""Live streams: server-sent events with heartbeats, bounded in number, ended when the server stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web

from penstock.errors import PenstockError
from penstock.model.json_value import Json
from penstock.model.limits import MAX_STREAMS, STREAM_HEARTBEAT_MS
from penstock.server.endpoints import EVENT_STREAM
from penstock.server.refusals import TooManyStreams
from penstock.server.replies import encode

_HEARTBEAT: Final = b": still here\n\n"


class StreamItem(msgspec.Struct, frozen=True):
    """One event of a stream. `id` is what a reader gives back as `Last-Event-ID` to go on after it."""

    id: str
    event: str
    data: Json


class Streams:
    """The live streams of one server. `closing` ends them; readers come back with `Last-Event-ID`."""

    def __init__(
        self, closing: asyncio.Event, *, most: int = MAX_STREAMS, heartbeat_ms: int = STREAM_HEARTBEAT_MS
    ) -> None:
        self._most = most
        self._heartbeat_s = heartbeat_ms / 1000
        self._open = 0
        self._closing = closing

    async def send(self, request: web.Request, items: AsyncIterator[StreamItem]) -> web.StreamResponse:
        """Answers with the items as they come, until they end, the reader leaves, or the server stops.

        `TooManyStreams` when every place is taken. The iterator is closed in any case.
        """
        if self._open >= self._most:
            raise TooManyStreams(f"this server keeps at most {self._most} live streams")
        self._open += 1
        pump = _Pump(items, self._closing, self._heartbeat_s)
        try:
            response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"})
            await response.prepare(request)
            await self._write(response, pump)
            return response
        finally:
            self._open -= 1
            await pump.close()

    async def _write(self, response: web.StreamResponse, pump: "_Pump") -> None:
        await response.write(_HEARTBEAT)
        try:
            while (chunk := await pump.next()) is not None:
                await response.write(chunk)
        except PenstockError:
            # What is streamed went away, or the store did: the status is sent, so the stream can only end.
            response.force_close()
        await response.write_eof()


class _Pump:
    """Turns items into chunks of bytes, and silence into heartbeats."""

    def __init__(self, items: AsyncIterator[StreamItem], closing: asyncio.Event, heartbeat_s: float) -> None:
        self._items = items
        self._heartbeat_s = heartbeat_s
        self._closed = asyncio.create_task(closing.wait())
        self._next: asyncio.Task[StreamItem | None] | None = None

    async def next(self) -> bytes | None:
        """The next chunk; None at the end."""
        if self._next is None:
            self._next = asyncio.create_task(self._taken())
        done, _ = await asyncio.wait(
            {self._next, self._closed}, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED
        )
        if self._next in done:
            finished, self._next = self._next, None
            item = finished.result()
            return None if item is None else _frame(item)
        return None if self._closed in done else _HEARTBEAT

    async def _taken(self) -> StreamItem | None:
        return await anext(self._items, None)

    async def close(self) -> None:
        for pending in (self._next, self._closed):
            if pending is not None:
                pending.cancel()
                with suppress(asyncio.CancelledError):
                    await pending
        if (aclose := getattr(self._items, "aclose", None)) is not None:
            await aclose()


def _frame(item: StreamItem) -> bytes:
    return f"id: {item.id}\nevent: {item.event}\ndata: ".encode() + encode(item.data) + b"\n\n"
