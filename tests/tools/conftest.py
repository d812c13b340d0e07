"""A real HTTP server on loopback that answers as a test says, and a client that waits without sleeping."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity
from penstock.tools.contract import ResourceMissing, SecretUnavailable
from penstock.tools.http_client import HttpClient
from penstock.tools.outbound import OutboundPolicy

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as the server took it."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    raw_path: str


@dataclass
class Service:
    """`answers` by path; a path without one is 404. `seen` are all requests in order."""

    base: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def on(self, path: str, answer: Answer | web.Response | None = None, **given: Json) -> str:
        """Answers the path from now on; returns its URI."""

        async def fixed(_: web.Request) -> web.StreamResponse:
            return web.Response(**given)

        self.answers[path] = answer if callable(answer) else fixed
        return self.base + path

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(
                request.method,
                request.path,
                list(request.query.items()),
                request.headers.copy(),
                await request.read(),
                request.raw_path,
            )
        )
        answer = self.answers.get(request.path)
        return web.Response(status=404) if answer is None else await answer(request)


async def _serve() -> tuple[Service, web.AppRunner]:
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", service.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return service, runner


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    served, runner = await _serve()
    yield served
    await runner.cleanup()


@pytest.fixture
async def other() -> AsyncIterator[Service]:
    """A second origin."""
    served, runner = await _serve()
    yield served
    await runner.cleanup()


@dataclass
class Context:
    """A call's context with a clock that stands still."""

    secrets: dict[str, Json] = field(default_factory=dict)
    resources: dict[str, Json] = field(default_factory=dict)
    rendered: tuple[str, ...] = ()
    run_id: str = "run-1"
    workflow: WorkflowIdentity = field(default_factory=lambda: WorkflowIdentity("test", "calls", "1.0.0"))
    attempt: int = 1

    def resource(self, uri: str) -> Json:
        if uri not in self.resources:
            raise ResourceMissing(f"no pinned document {uri}")
        return self.resources[uri]

    def secret(self, name: str) -> Json:
        if name not in self.secrets:
            raise SecretUnavailable(f"the secret {name!r} does not exist")
        return self.secrets[name]

    def mask(self, text: str) -> str:
        for secret in self.rendered:
            text = text.replace(secret, "***")
        return text

    def now_ms(self) -> int:
        return 1_000_000


@pytest.fixture
def context() -> Context:
    return Context()


@dataclass
class Waits:
    """Takes the place of sleeping: remembers how long each wait was, and runs `meanwhile` instead."""

    seconds: list[float] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.meanwhile is not None:
            await self.meanwhile()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def client(waits: Waits) -> AsyncIterator[HttpClient]:
    made = HttpClient(policy=OutboundPolicy(in_development=lambda: True), sleep=waits)
    yield made
    await made.close()
