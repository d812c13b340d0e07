"""Events: take them in every form of CloudEvents, list them, tell of them live."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from penstock.events.cloudevent import BATCH, STRUCTURED, parse_http
from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.access import require_run
from penstock.server.bodies import read_bytes
from penstock.server.endpoints import EVENT_STREAM, Answer, Body, Endpoint, Parameter
from penstock.server.event_stream import StreamItem, Streams
from penstock.server.parameters import CURSOR, LAST_EVENT_ID, LIMIT
from penstock.server.reach import grant_of
from penstock.server.replies import page, reply
from penstock.server.schemas import RUN_ID, TEXT, listing, record, ref
from penstock.server.scopes import require_all_namespaces, require_publishing

_FILTERS = (
    Parameter("type", "query", TEXT, "Only events of this type"),
    Parameter("source", "query", TEXT, "Only events of this source"),
    Parameter("subject", "query", TEXT, "Only events with this subject"),
)
_RUN = Parameter("run", "query", RUN_ID, "Only events that this run published or was given")
_BODY = Body(ref("CloudEvent"), (STRUCTURED, BATCH, "application/json"))


@dataclass(frozen=True)
class EventFilter:
    """What a list or a stream of events is asked for; None lets every value pass."""

    type: str | None
    source: str | None
    subject: str | None


class EventsApi:
    """Events in and out."""

    def __init__(self, engine: Engine, streams: Streams) -> None:
        self._engine = engine
        self._streams = streams

    def endpoints(self) -> tuple[Endpoint, ...]:
        taken = record({"accepted": {"type": "integer"}})
        return (
            Endpoint(
                "POST",
                "/api/v1/events",
                "Publish an event or a batch; a duplicate is taken once",
                handler=self.publish,
                answers=(Answer(202, "Taken", taken),),
                body=_BODY,
                problems=(400, 413, 415),
                tag="events",
            ),
            Endpoint(
                "GET",
                "/api/v1/events",
                "List events, newest first; those of one run in the order in which they came",
                handler=self.list,
                answers=(Answer(200, "A page", listing(ref("CloudEvent"))),),
                parameters=(*_FILTERS, _RUN, LIMIT, CURSOR),
                problems=(400,),
                tag="events",
            ),
            Endpoint(
                "GET",
                "/api/v1/events/stream",
                "Events as they come",
                handler=self.stream,
                answers=(Answer(200, "Server-sent events", TEXT, EVENT_STREAM),),
                parameters=(*_FILTERS, _RUN, LAST_EVENT_ID),
                problems=(400, 404, 503),
                tag="events",
            ),
        )

    async def publish(self, request: web.Request) -> web.Response:
        events = parse_http(request.headers, await read_bytes(request))
        require_publishing(grant_of(request), events)
        await self._engine.publish(events)
        return reply({"accepted": len(events)}, 202)

    async def list(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        wanted, run, grant = _filter_of(request), queries.text(request, "run"), grant_of(request)
        if run is None:
            require_all_namespaces(grant)
        else:
            await require_run(self._engine, grant, run)
        found = await self._engine.list_events(
            type=wanted.type,
            source=wanted.source,
            subject=wanted.subject,
            run=run,
            beyond=queries.read_position(request),
            limit=most + 1,
        )
        cursor = queries.write_cursor(found[most - 1].seq) if len(found) > most else None
        return page([event.event for event in found[:most]], cursor)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        after, run, grant = queries.last_event(request), queries.query_run(request), grant_of(request)
        if run is None:
            require_all_namespaces(grant)
            events = self._engine.stream_events(after=after)
        else:
            await require_run(self._engine, grant, run)
            await self._engine.run_namespace(run)
            events = self._engine.stream_run_events(run, after=after)
        return await self._streams.send(request, self._events(_filter_of(request), events))

    async def _events(
        self, wanted: EventFilter, events: AsyncIterator[tuple[int, dict[str, Json]]]
    ) -> AsyncIterator[StreamItem]:
        async for seq, event in events:
            if _passes(wanted, event):
                yield StreamItem(str(seq), event["type"], event)


def _filter_of(request: web.Request) -> EventFilter:
    return EventFilter(queries.text(request, "type"), queries.text(request, "source"), queries.text(request, "subject"))


def _passes(wanted: EventFilter, event: dict[str, Json]) -> bool:
    asked = (("type", wanted.type), ("source", wanted.source), ("subject", wanted.subject))
    return all(value is None or event.get(name) == value for name, value in asked)
