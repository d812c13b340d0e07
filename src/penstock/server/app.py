"""Puts the interface together and runs it: the only file that knows every endpoint."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

import penstock
from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES, SHUTDOWN_MS
from penstock.runtime.engine import Engine
from penstock.runtime.logs import make_log
from penstock.runtime.settings import Settings
from penstock.server.access import access_guard, require_safe_binding
from penstock.server.api.absent import absent_endpoints, elsewhere_endpoints
from penstock.server.api.events import EventsApi
from penstock.server.api.machinery import MachineryApi
from penstock.server.api.nodes import NodesApi
from penstock.server.api.runs import RunsApi
from penstock.server.api.secrets import SecretsApi
from penstock.server.api.starts import StartsApi
from penstock.server.api.system import SystemApi
from penstock.server.api.tokens import TokensApi
from penstock.server.api.tools import ToolsApi
from penstock.server.api.why import WhyApi
from penstock.server.api.work import WorkApi
from penstock.server.api.workflows import WorkflowsApi
from penstock.server.endpoints import Endpoint, register
from penstock.server.event_stream import Streams
from penstock.server.http_log import http_logger
from penstock.server.http_metrics import request_metrics
from penstock.server.openapi import openapi_document
from penstock.server.problems import problem_answers
from penstock.server.protocol import ProblemSite
from penstock.server.waiting import Waiting
from penstock.store.protocol import Store


@dataclass(frozen=True)
class RunningServer:
    """A server that listens. `base_url` has no slash at its end."""

    base_url: str
    engine: Engine


def build_app(engine: Engine, settings: Settings) -> web.Application:
    """The whole interface over an open engine. Streams and waits end when the application shuts down."""
    closing = asyncio.Event()
    endpoints = all_endpoints(engine, closing, settings)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[
            request_metrics(engine.metrics.registry),
            problem_answers(make_log(settings)),
            access_guard(settings.token or None, engine),
        ],
    )
    register(app, endpoints)
    app.on_response_prepare.append(_add_headers)

    async def end_waits(_: web.Application) -> None:
        closing.set()

    app.on_shutdown.append(end_waits)
    return app


def all_endpoints(engine: Engine, closing: asyncio.Event, settings: Settings) -> Sequence[Endpoint]:
    """Every endpoint, in the order in which they are looked through. `closing` ends streams and waits."""
    streams, waiting = Streams(closing), Waiting(engine, closing)
    endpoints: list[Endpoint] = []
    documents: dict[bool, Json] = {}

    def document() -> Json:
        token = bool(settings.token) or engine.tokens.exist
        if token not in documents:
            documents[token] = openapi_document(endpoints, penstock.__version__, token=token)
        return documents[token]

    system = SystemApi(engine, penstock.__version__, document, lambda: endpoints)
    if not settings.serves_api:
        return (*system.essentials(), *elsewhere_endpoints())
    endpoints += system.endpoints()
    endpoints += WorkflowsApi(engine).endpoints()
    endpoints += StartsApi(engine, waiting).endpoints()
    endpoints += RunsApi(engine, streams).endpoints()
    endpoints += EventsApi(engine, streams).endpoints()
    endpoints += WhyApi(engine).endpoints()
    endpoints += ToolsApi(engine).endpoints()
    endpoints += WorkApi(engine, streams, closing).endpoints()
    endpoints += SecretsApi(engine).endpoints()
    endpoints += TokensApi(engine).endpoints()
    endpoints += NodesApi(engine).endpoints()
    endpoints += MachineryApi(engine, waiting).endpoints()
    endpoints += absent_endpoints()
    return endpoints


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "penstock"


@asynccontextmanager
async def serve(settings: Settings, *, store: Store | None = None) -> AsyncGenerator[RunningServer]:
    """A server that takes requests until the block ends, then lets those under way finish.

    Raises `UnsafeBinding` for an address that others can reach without a token, `InfrastructureError` when
    the address is taken or the store cannot be opened.
    """
    require_safe_binding(settings.host, settings.token or None)
    with _listening(settings.host, settings.port) as listener:
        async with Engine(settings, store=store) as engine:
            runner = web.AppRunner(build_app(engine, settings), shutdown_timeout=SHUTDOWN_MS / 1000)
            await runner.setup()
            try:
                await ProblemSite(runner, listener, http_logger(make_log(settings))).start()
                yield RunningServer(_url_of(listener, settings.host), engine)
            finally:
                await runner.cleanup()


async def run_until_stopped(
    settings: Settings, announce: Callable[[RunningServer], None], *, store: Store | None = None
) -> None:
    """Serves until SIGTERM or SIGINT, then drains. `announce` is called once the server takes requests."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        async with serve(settings, store=store) as server:
            announce(server)
            await stopped.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _listening(host: str, port: int) -> socket.socket:
    """A bound socket: made before the engine opens, so that a taken port costs nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise InfrastructureError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener


def _url_of(listener: socket.socket, host: str) -> str:
    shown = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"
