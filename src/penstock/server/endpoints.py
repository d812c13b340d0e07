"""How a route is declared: the router and `/openapi.json` are made from the same value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from penstock.model.json_value import Json

EVENT_STREAM: Final = "text/event-stream"
Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Parameter:
    """One parameter. `schema` is JSON Schema."""

    name: str
    place: Literal["path", "query", "header"]
    schema: Json
    summary: str
    repeatable: bool = False


@dataclass(frozen=True)
class Body:
    """A request body: its media types and JSON Schema."""

    schema: Json
    media: tuple[str, ...] = ("application/json",)
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """What a status means; no schema means no body."""

    status: int
    summary: str
    schema: Json = None
    media: str = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """One method on one path. `problems` are the statuses that answer with problem details."""

    method: Method
    path: str
    summary: str
    handler: Handler
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[int, ...] = ()
    tag: str = "system"
    listed: bool = True
    """False for routes that only say that they are not there."""

    @property
    def streams(self) -> bool:
        """Whether the answer goes on until somebody ends it."""
        return any(answer.media == EVENT_STREAM for answer in self.answers)


def register(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    """Adds every endpoint to the router; what can be read can be asked for its head."""
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, endpoint.handler)
        if endpoint.method == "GET" and not endpoint.streams:
            app.router.add_route("HEAD", endpoint.path, endpoint.handler)
