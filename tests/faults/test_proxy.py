"""The proxy that stands for the network does what the tests of faults believe."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    server = await asyncio.start_unix_server(echo, tmp_path / "socket")
    proxy = Proxy(tmp_path / "socket")
    await proxy.start()
    yield proxy
    await proxy.close()
    server.close()


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes, within_s: float = 5) -> bytes:
    """What comes back; nothing if nothing comes in time."""
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.readexactly(len(text)), within_s)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b"cut"
    except TimeoutError:
        return b""


async def test_it_passes_on(proxy: Proxy) -> None:
    assert await says(*await connect(proxy), b"hello") == b"hello"


async def test_a_cut_ends_connections_and_lets_new_ones_be_made(proxy: Proxy) -> None:
    pair = await connect(proxy)
    assert await says(*pair, b"hello") == b"hello"
    proxy.cut()
    assert await says(*pair, b"again") == b"cut"
    assert proxy.connections == 0
    assert await says(*await connect(proxy), b"hello") == b"hello"


async def test_what_is_refused_gets_nowhere_until_it_heals(proxy: Proxy) -> None:
    proxy.refusing = True
    assert await says(*await connect(proxy), b"hello") == b"cut"
    proxy.heal()
    assert await says(*await connect(proxy), b"hello") == b"hello"


@pytest.mark.parametrize("forget", [False, True])
async def test_what_is_swallowed_comes_late_or_never(proxy: Proxy, forget: bool) -> None:
    old = await connect(proxy)
    assert await says(*old, b"hello") == b"hello"
    proxy.swallow()
    assert await says(*old, b"late", 0.05) == b""
    new = await connect(proxy)
    assert await says(*new, b"new", 0.05) == b""
    proxy.heal(forget=forget)
    assert await asyncio.wait_for(new[0].readexactly(3), 5) == b"new"
    if forget:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(old[0].readexactly(4), 5)
    else:
        assert await asyncio.wait_for(old[0].readexactly(4), 5) == b"late"


async def test_a_delay_holds_each_direction(proxy: Proxy) -> None:
    pair = await connect(proxy)
    proxy.delay_s = 0.05
    began = time.monotonic()
    assert await says(*pair, b"hello") == b"hello"
    assert time.monotonic() - began >= 0.09


async def test_a_server_that_is_away_resets_connections(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "socket").unlink()
    assert await says(*await connect(proxy), b"hello") == b"cut"


async def test_what_is_under_way_when_its_reader_goes_is_lost_quietly(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await connect(proxy)
    assert await says(reader, writer, b"hello") == b"hello"
    proxy.delay_s = 0.02
    writer.write(b"again")
    proxy.cut()
    assert await says(*await connect(proxy), b"slowly") == b"slowly"
    assert caplog.records == []
