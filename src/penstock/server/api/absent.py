"""Rows of the HTTP contract that this version does not serve: they say so, as every other problem does."""

from typing import Final

from aiohttp import web

from penstock.errors import NotFound
from penstock.server.endpoints import Endpoint, Method

_ABSENT: Final[tuple[tuple[Method, str, str], ...]] = (
    ("GET", "/api/v1/inbox", "human tasks are"),
    ("POST", "/api/v1/inbox/{id}:claim", "human tasks are"),
    ("POST", "/api/v1/inbox/{id}:release", "human tasks are"),
    ("POST", "/api/v1/inbox/{id}:complete", "human tasks are"),
    ("POST", "/callbacks/{token}", "callbacks are"),
    ("POST", "/w/{slug}", "webhooks are"),
    ("PUT", "/w/{slug}", "webhooks are"),
    ("POST", "/v1/event", "the Keptn surface is"),
    ("GET", "/v1/event", "the Keptn surface is"),
    ("PUT", "/v1/project/{project}/shipyard", "the Keptn surface is"),
    ("POST", "/v1/sequence/{project}/{context}/control", "the Keptn surface is"),
    ("GET", "/v1/sequence/{project}", "the Keptn surface is"),
)


def absent_endpoints() -> tuple[Endpoint, ...]:
    """Endpoints that answer 404 naming what is missing; they are not part of `/openapi.json`."""
    return tuple(_absent(method, path, what) for method, path, what in _ABSENT)


def elsewhere_endpoints() -> tuple[Endpoint, ...]:
    """For a process that moves runs only: everything else is answered by those with the role `api`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        raise NotFound("this process has the role engine only; ask one with the role api")

    methods: tuple[Method, ...] = ("GET", "POST", "PUT", "DELETE")
    return tuple(
        Endpoint(method, "/{path:.*}", "Not here", handler=handler, answers=(), listed=False) for method in methods
    )


def _absent(method: Method, path: str, what: str) -> Endpoint:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise NotFound(f"{what} not part of this version")

    return Endpoint(
        method,
        path,
        f"{what} not part of this version",
        handler=handler,
        answers=(),
        listed=False,
    )
