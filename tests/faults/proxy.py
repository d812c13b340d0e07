"""A node's way to PostgreSQL: TCP on the node's side, the server's socket on the other; it can fail in many ways."""

import asyncio
import socket
import struct
from pathlib import Path
from typing import Final, NamedTuple

_CHUNK: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset instead of a farewell."""


class _Pair(NamedTuple):
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter


class Proxy:
    """Passes everything on until told otherwise. Everything that is done to it can be undone by `heal`."""

    def __init__(self, server_socket: Path) -> None:
        self.refusing = False
        """New connections are reset at once."""
        self.delay_s = 0.0
        """How long each chunk is on its way, in each direction."""
        self.cuts = 0
        self.server_socket = server_socket
        self._listener: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._pairs: set[_Pair] = set()
        self._relays: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._listener is not None
        return self._listener.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def cut(self) -> None:
        """Ends every connection on both sides at once, with a reset. New ones can be made."""
        for near, far in list(self._pairs):
            self.cuts += 1
            _reset(near)
            far.transport.abort()

    def swallow(self) -> None:
        """From now on nothing comes through, in either direction, and nobody is told: connections stay open, new ones
        are taken and get no answer, and nobody learns that the other side has gone."""
        self._passing.clear()

    def heal(self, *, forget: bool = False) -> None:
        """All is well again. What was swallowed arrives late; or, if the network is to `forget` its connections, they
        are reset and what was under way is lost."""
        self.refusing, self.delay_s = False, 0.0
        if forget:
            self.cut()
        self._passing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.add(relay)
        try:
            await self._passing.wait()
            if self.refusing:
                _reset(writer)
                return
            await self._relay(reader, writer)
        except OSError:
            _reset(writer)  # the server is away
        except asyncio.CancelledError:
            pass  # the end of the test; a cancelled callback of a server would be logged as an error
        finally:
            writer.close()
            self._relays.discard(relay)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.server_socket)
        pair = _Pair(writer, far_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        finally:
            self._pairs.discard(pair)
            far_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side has gone; the other side then learns it."""
        try:
            while data := await reader.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        await self._passing.wait()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    given = writer.get_extra_info("socket")
    if given is not None and given.fileno() >= 0:
        given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
