"""A wire between the store and its server that can be cut at a statement, before it passes or before its answer; and on
which nothing may pass any more without anybody noticing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

Moment = Literal["before it", "before its answer"]

_CHUNK: Final = 65_536


class Wire:
    """Relays connections. `cut` waits for `statement`, then ends that connection at the given moment, once."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._statement = b""
        self._moment: Moment = "before it"
        self.has_cut = asyncio.Event()
        self.url = ""
        self._relays: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.Task[None]] = set()

    def fall_silent(self) -> None:
        """Nothing passes any more on the connections there are; new ones are as they were."""
        self._silent |= self._relays

    def cut(self, statement: str, moment: Moment) -> None:
        self._statement, self._moment = statement.encode() + b"\0", moment
        self.has_cut.clear()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        far_reader, far_writer = await _connect(self._server)
        try:
            back = asyncio.create_task(self._pass_on(far_reader, writer, task))
            await self._pass_statements(reader, far_writer, back)
            await asyncio.gather(back, return_exceptions=True)
        finally:
            writer.close()
            far_writer.close()
            self._relays.discard(task)

    async def _pass_statements(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, back: "asyncio.Task[None]"
    ) -> None:
        while data := await reader.read(_CHUNK):
            if self._statement and self._statement in data:
                self._statement = b""
                back.cancel()
                if self._moment == "before its answer":
                    far.write(data)
                    await far.drain()
                self.has_cut.set()
                return
            if asyncio.current_task() not in self._silent:
                far.write(data)
                await far.drain()
        far.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, relay: "asyncio.Task[None]"
    ) -> None:
        while data := await reader.read(_CHUNK):
            if relay not in self._silent:
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wired(server_url: str) -> AsyncIterator[Wire]:
    """A wire to the server of that URL; its own `url` has the same database, user and schema."""
    wire = Wire(server_url)
    listener = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
    parts, query = urlsplit(server_url), parse_qs(urlsplit(server_url).query)
    port = listener.sockets[0].getsockname()[1]
    user = f"{parts.username}:{parts.password}@" if parts.password else f"{parts.username}@"
    schema = query["schema"][0]
    wire.url = f"postgresql://{user}127.0.0.1:{port}{parts.path}?schema={schema}&sslmode=disable"
    try:
        yield wire
    finally:
        listener.close()
        for task in list(wire._relays):
            task.cancel()
        await asyncio.gather(*wire._relays, return_exceptions=True)


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    if "host" in query:
        return await asyncio.open_unix_connection(Path(query["host"][0]) / ".s.PGSQL.5432")
    return await asyncio.open_connection(parts.hostname, parts.port or 5432)
