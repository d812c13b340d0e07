"""What the tests of the runtime share: engines over real stores, and a real HTTP server for calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import structlog
from aiohttp import web

from penstock.model.json_value import Json
from penstock.runtime.clock import Clock
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.store.protocol import Store
from tests.postgres_fixtures import without_schema

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    """A local HTTP server. `keys` are the idempotency keys that came, in order; `gate` holds answers back."""

    url: str = ""
    keys: list[str] = field(default_factory=list[str])
    bodies: list[Json] = field(default_factory=list[Json])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.json() if request.can_read_body else None)
        self.came.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.dropped.set()
            raise
        return web.json_response({"ok": True, "path": request.path}, status=self.status)


@asynccontextmanager
async def served() -> AsyncIterator[Service]:
    service = Service()
    service.gate.set()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", service.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        service.gate.set()
        await runner.cleanup()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with served() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=f"sqlite:{tmp_path / 'penstock.db'}", data_dir=str(tmp_path), log_level="error")


@asynccontextmanager
async def opened(
    settings: Settings, *, clock: Clock | None = None, store: Store | None = None, log: Json = None
) -> AsyncIterator[Engine]:
    engine = Engine(settings, clock=clock, store=store, log=log)
    async with engine:
        yield engine


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    async with opened(settings) as running:
        yield running


def document(name: str, tasks: str, *, version: str = "1.0.0", more: str = "") -> str:
    """A workflow in the namespace `test`; `tasks` are the items of `do`, indented by nothing."""
    head = f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '{version}'}}\n"
    return head + more + "do:\n" + tasks


async def run_to_end(engine: Engine, text: str, given: Json = None, *, timeout_s: float = 20) -> Json:
    """The run of a new document, ended."""
    stored = (await engine.deploy(text)).stored
    run = await engine.start_run(stored.namespace, stored.name, stored.version, {} if given is None else given)
    run = await engine.wait_run(run.id, timeout_s)
    assert run.ended, f"the run is {run.status}"
    return run


async def stored_bytes(url: str) -> bytes:
    """All that lies in a store: the files of SQLite, or the cells of every table of PostgreSQL."""
    if url.startswith("sqlite:"):
        path = url.removeprefix("sqlite:")
        return b"".join(Path(path + suffix).read_bytes() for suffix in ("", "-wal"))  # noqa: ASYNC240
    connection = await asyncpg.connect(without_schema(url))
    schema = url.rpartition("schema=")[2]
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", schema)
    rows = [row for table in tables for row in await connection.fetch(f'SELECT * FROM {schema}."{table[0]}"')]  # noqa: S608
    await connection.close()
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)


def capturing_log() -> tuple[Json, list[Json]]:
    """A logger, and the list that its entries go to."""
    capture = structlog.testing.LogCapture()
    return structlog.wrap_logger(structlog.PrintLogger(), processors=[capture]), capture.entries
