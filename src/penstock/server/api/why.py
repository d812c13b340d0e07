"""Why: what a run waits for, whom an event could be meant for; and an event sent again."""

from typing import Final

from aiohttp import web

from penstock.errors import NotFound
from penstock.model.limits import MAX_ATTRIBUTE_BYTES
from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.endpoints import Answer, Endpoint, Parameter
from penstock.server.parameters import RUN
from penstock.server.replies import reply
from penstock.server.schemas import RUN_ID, TEXT, ref

_EVENT: Final = "/api/v1/events/{source}/{id}"
_NAME: Final = (
    Parameter("source", "path", TEXT, "The source of the event, percent-encoded: %2Fshop for /shop"),
    Parameter("id", "path", TEXT, "The id of the event, percent-encoded"),
)
_OF_RUN: Final = Parameter("run", "query", RUN_ID, "Every listener of this run, and no other")


class WhyApi:
    """Questions, and the remedy for one answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "GET",
                "/api/v1/runs/{id}/why",
                "What a run waits for, since when, until when, and who can end it",
                handler=self.run,
                answers=(Answer(200, "What it waits for; nothing when it has ended", ref("RunWhy")),),
                parameters=(RUN,),
                problems=(404,),
                tag="runs",
            ),
            Endpoint(
                "GET",
                _EVENT + "/matches",
                "Whom an event could be meant for, and why it matched or did not",
                handler=self.matches,
                answers=(Answer(200, "The event with its candidates", ref("EventWhy")),),
                parameters=(*_NAME, _OF_RUN),
                problems=(400, 404),
                tag="events",
            ),
            Endpoint(
                "POST",
                _EVENT + ":resend",
                "Publish an event again, as a new one that names it (penstockresendof)",
                handler=self.resend,
                answers=(Answer(202, "The new event", ref("CloudEvent")),),
                parameters=_NAME,
                problems=(404, 413),
                tag="events",
            ),
        )

    async def run(self, request: web.Request) -> web.Response:
        return reply(await self._engine.why(queries.run_id(request)))

    async def matches(self, request: web.Request) -> web.Response:
        source, event_id = _event_name(request)
        return reply(await self._engine.event_matches(source, event_id, run=queries.query_run(request)))

    async def resend(self, request: web.Request) -> web.Response:
        source, event_id = _event_name(request)
        return reply(await self._engine.resend(source, event_id), 202)


def _event_name(request: web.Request) -> tuple[str, str]:
    """Source and id in the path; 404 when no event can have them."""
    source, event_id = request.match_info["source"], request.match_info["id"]
    for text in (source, event_id):
        if "\x00" in text or len(text) > MAX_ATTRIBUTE_BYTES or any("\ud800" <= one <= "\udfff" for one in text):
            raise NotFound("there is no such event")
    return source, event_id
