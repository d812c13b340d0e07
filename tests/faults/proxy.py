"""A node's way to PostgreSQL: TCP on the node's side, the server's socket on the other; it can fail in many ways.

Everything that a cluster says to its database goes through here, so it is written to cost little.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset instead of a farewell."""


class Proxy:
    """Passes everything on until told otherwise. Everything that is done to it can be undone by `heal`."""

    def __init__(self, server_socket: Path) -> None:
        self.server_socket = server_socket
        self.refusing = False
        """New connections are reset at once."""
        self.delay_s = 0.0
        """How long each chunk is on its way, in each direction."""
        self.swallowing = False
        self.cuts = 0
        self._listener: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Pair(self).near, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for pair in list(self._pairs):
            pair.cut()

    @property
    def port(self) -> int:
        assert self._listener is not None
        return self._listener.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def cut(self) -> None:
        """Ends every connection on both sides at once, with a reset. New ones can be made."""
        for pair in list(self._pairs):
            self.cuts += 1
            pair.cut()

    def swallow(self) -> None:
        """From now on nothing comes through, in either direction, and nobody is told: connections stay open, new ones
        are taken and get no answer, and nobody learns that the other side has gone."""
        self.swallowing = True

    def heal(self, *, forget: bool = False) -> None:
        """All is well again. What was swallowed arrives late; or, if the network is to `forget` its connections, they
        are reset and what was under way is lost."""
        self.refusing, self.delay_s, self.swallowing = False, 0.0, False
        for pair in list(self._pairs):
            if forget and pair.far.transport is not None:
                self.cuts += 1
                pair.cut()
            else:
                self.connect(pair)
                pair.near.pass_on_all()
                pair.far.pass_on_all()

    def connect(self, pair: "_Pair") -> None:
        """Makes the far side of a connection, unless it is there or nothing comes through."""
        self._pairs.add(pair)
        if not self.swallowing and not pair.begun:
            pair.begun = True
            task = asyncio.create_task(self._connect(pair))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, pair: "_Pair") -> None:
        try:
            if self.refusing:
                raise ConnectionRefusedError
            path = str(self.server_socket)
            await asyncio.get_running_loop().create_unix_connection(lambda: pair.far, path)
        except OSError:
            pair.cut()  # the server is away

    def ended(self, pair: "_Pair") -> None:
        self._pairs.discard(pair)


class _Pair:
    """A connection: the node's side of it and the server's."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.begun = False
        self.near = _Side(self, lambda: self.far)
        self.far = _Side(self, lambda: self.near)

    def cut(self) -> None:
        self.near.abort()
        self.far.abort()
        self.proxy.ended(self)


class _Side(asyncio.Protocol):
    """One side of a connection. What it is to pass on waits in `_waiting`, in order; None is the end."""

    def __init__(self, pair: _Pair, other: Callable[[], "_Side"]) -> None:
        self.transport: asyncio.Transport | None = None
        self._pair = pair
        self._other = other
        self._waiting: deque[bytes | None] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # what a loop of another make has is none of asyncio's
        if self is self._pair.near:
            self._pair.proxy.connect(self._pair)
        else:
            asyncio.get_running_loop().call_later(self._pair.proxy.delay_s, self.pass_on_all)

    def data_received(self, data: bytes) -> None:
        self._other().take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._other().take(None)

    def pause_writing(self) -> None:
        if (source := self._other().transport) is not None and not source.is_closing():
            source.pause_reading()

    def resume_writing(self) -> None:
        if (source := self._other().transport) is not None and not source.is_closing():
            source.resume_reading()

    def take(self, data: bytes | None) -> None:
        """Something for the one who is on this side."""
        self._waiting.append(data)
        proxy = self._pair.proxy
        if proxy.delay_s:
            asyncio.get_running_loop().call_later(proxy.delay_s, self._pass_on_one)
        elif len(self._waiting) == 1:
            self._pass_on_one()

    def pass_on_all(self) -> None:
        while self._waiting and self._may_pass:
            self._pass_on_one()

    @property
    def _may_pass(self) -> bool:
        return self.transport is not None and not self._pair.proxy.swallowing

    def _pass_on_one(self) -> None:
        if not self._waiting or not self._may_pass:
            return
        data = self._waiting.popleft()
        if self.transport is None or self.transport.is_closing():
            return  # whoever it was for has gone
        if data is not None:
            self.transport.write(data)
        else:
            self.transport.close()
            self._pair.proxy.ended(self._pair)

    def abort(self) -> None:
        if self.transport is None:
            return
        given = self.transport.get_extra_info("socket")
        if given is not None and given.family == socket.AF_INET and not self.transport.is_closing():
            given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()
