"""Work that tools take by event: fetch it, keep it, give it back; and for operators what is on its way."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import web

from penstock.errors import NotFound
from penstock.model.json_value import Json
from penstock.model.limits import MAX_HTTP_WAIT_MS, MAX_LEASE_MS, MAX_NAME_CHARACTERS, MAX_WORK_PER_PULL, MIN_LEASE_MS
from penstock.runtime.deliveries import BATCH_MEDIA, batch_of, event_for
from penstock.runtime.engine import Engine
from penstock.runtime.work import Work
from penstock.server import queries
from penstock.server.endpoints import EVENT_STREAM, Answer, Endpoint, Parameter
from penstock.server.event_stream import StreamItem, Streams
from penstock.server.parameters import CURSOR, LIMIT, TOOL
from penstock.server.refusals import BadParameter
from penstock.server.replies import instant, no_content, page, reply
from penstock.server.schemas import INSTANT, TEXT, WORK_STATES, listing, record, ref
from penstock.store.rows import WorkRow, WorkState

_MAX_TOKEN: Final = 2**31 - 1
_CALL: Final = Parameter("id", "path", TEXT, "The id of the event that brought the work")
_LEASE: Final = Parameter(
    "lease",
    "query",
    {"type": "number", "minimum": MIN_LEASE_MS / 1000, "maximum": MAX_LEASE_MS / 1000},
    "Have it for so many seconds; as the tool says when absent",
)
_MOST: Final = Parameter(
    "max",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_WORK_PER_PULL, "default": 1},
    "How much work at once, at most",
)
_WAIT: Final = Parameter(
    "wait",
    "query",
    {"type": "number", "minimum": 0, "maximum": 999_999_999},
    f"Wait so many seconds for work, {MAX_HTTP_WAIT_MS // 1000} at most",
)
_TOKEN: Final = Parameter(
    "penstocklease", "query", {"type": "integer", "minimum": 1, "maximum": _MAX_TOKEN}, "The number of the lease"
)
_STATE: Final = Parameter("state", "query", {"type": "string", "enum": list(WORK_STATES)}, "Only work in this state")
_ONE: Final = Parameter("id", "query", TEXT, "This work alone; all dead letters of the tool when absent")
_TEXT: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?", re.ASCII)
Position = tuple[int, str, str]


class WorkApi:
    """Work of tools with the transports pull and push."""

    def __init__(self, engine: Engine, streams: Streams, closing: asyncio.Event) -> None:
        self._engine = engine
        self._streams = streams
        self._closing = closing

    @property
    def _work(self) -> Work:
        return self._engine.work

    def endpoints(self) -> tuple[Endpoint, ...]:
        events: Json = {"type": "array", "items": ref("CloudEvent")}
        return (
            Endpoint(
                "GET",
                "/api/v1/tools/{name}/work",
                "Fetch work of a tool",
                handler=self.pull,
                answers=(Answer(200, "Work that is leased now; none when none came", events, BATCH_MEDIA),),
                parameters=(TOOL, _WAIT, _MOST, _LEASE),
                problems=(400, 404, 409, 503),
                tag="work",
            ),
            Endpoint(
                "GET",
                "/api/v1/tools/{name}/stream",
                "Work of a tool as it comes",
                handler=self.stream,
                answers=(Answer(200, "Server-sent events", TEXT, EVENT_STREAM),),
                parameters=(TOOL, _MOST, _LEASE),
                problems=(400, 404, 409, 503),
                tag="work",
            ),
            Endpoint(
                "POST",
                "/api/v1/tools/{name}/work/{id}:renew",
                "Keep leased work for longer",
                handler=self.renew,
                answers=(Answer(200, "Renewed", record({"lease_until": INSTANT})),),
                parameters=(TOOL, _CALL, _TOKEN, _LEASE),
                problems=(400, 404, 409),
                tag="work",
            ),
            Endpoint(
                "POST",
                "/api/v1/tools/{name}/work/{id}:return",
                "Give leased work back",
                handler=self.return_,
                answers=(Answer(204, "Given back"),),
                parameters=(TOOL, _CALL, _TOKEN),
                problems=(400, 404, 409),
                tag="work",
            ),
            Endpoint(
                "GET",
                "/api/v1/tools/{name}/letters",
                "Work of a tool that is on its way, and dead letters",
                handler=self.letters,
                answers=(Answer(200, "A page, the oldest first", listing(ref("Letter"))),),
                parameters=(TOOL, _STATE, LIMIT, CURSOR),
                problems=(400, 404),
                tag="work",
            ),
            Endpoint(
                "POST",
                "/api/v1/tools/{name}:redeliver",
                "Send dead letters again",
                handler=self.redeliver,
                answers=(Answer(202, "How many", record({"redelivered": {"type": "integer"}})),),
                parameters=(TOOL, _ONE),
                problems=(400, 404),
                tag="work",
            ),
        )

    async def pull(self, request: web.Request) -> web.StreamResponse:
        tool, lease_ms = queries.existing_name(request, "tool"), _lease_ms(request)
        most = queries.integer(request, "max", least=1, most=MAX_WORK_PER_PULL, default=1)
        rows = await self._pulled(request, tool, lease_ms, most, queries.wait_ms(request) or 0)
        try:
            if _has_left(request):
                raise ConnectionResetError("the caller has gone")
            response = web.Response(body=batch_of(rows), content_type=BATCH_MEDIA)
            await response.prepare(request)
            await response.write_eof()
            return response
        except (ConnectionError, asyncio.CancelledError):
            await self._work.give_back(rows)
            raise

    async def _pulled(
        self, request: web.Request, tool: str, lease_ms: int | None, most: int, wait_ms: int
    ) -> list[WorkRow]:
        def gone() -> bool:
            return _has_left(request) or self._closing.is_set()

        holder = _holder(request)
        rows = await self._work.pull(tool, lease_ms=lease_ms, most=most, holder=holder)
        if rows or not wait_ms or gone():
            return rows
        pulling = asyncio.create_task(
            self._work.pull(tool, lease_ms=lease_ms, most=most, wait_ms=wait_ms, holder=holder, gone=gone)
        )
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({pulling, closing}, return_when=asyncio.FIRST_COMPLETED)
            return await pulling if pulling.done() else []
        finally:
            pulling.cancel()
            closing.cancel()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        tool, lease_ms = queries.existing_name(request, "tool"), _lease_ms(request)
        most = queries.integer(request, "max", least=1, most=MAX_WORK_PER_PULL, default=1)
        self._work.check_pulls(tool)
        return await self._streams.send(request, self._events(tool, lease_ms, most, _holder(request)))

    async def _events(self, tool: str, lease_ms: int | None, most: int, holder: str) -> AsyncIterator[StreamItem]:
        rows = self._work.stream(tool, lease_ms=lease_ms, most=most, holder=holder)
        try:
            async for row in rows:
                event = msgspec.json.decode(event_for(row))
                yield StreamItem(row.call_id, event["type"], event)
        finally:
            await rows.aclose()

    async def renew(self, request: web.Request) -> web.Response:
        tool, call_id = queries.existing_name(request, "tool"), _call_id(request)
        self._work.check_pulls(tool)
        until = await self._work.renew(tool, call_id, _token(request), _lease_ms(request))
        return reply({"lease_until": instant(until)})

    async def return_(self, request: web.Request) -> web.Response:
        tool, call_id = queries.existing_name(request, "tool"), _call_id(request)
        self._work.check_pulls(tool)
        await self._work.return_(tool, call_id, _token(request))
        return no_content()

    async def letters(self, request: web.Request) -> web.Response:
        most, tool = queries.limit(request), queries.existing_name(request, "tool")
        after, state = queries.read_cursor(request, Position), _state(request)
        if after is not None and not 0 <= after[0] <= queries.MAX_POSITION:
            raise BadParameter("cursor", "is none that this list gave out")
        found = await self._work.listed(tool, state=state, after=after, limit=most + 1)
        last = found[most - 1] if len(found) > most else None
        cursor = None if last is None else queries.write_cursor([last.created_at, last.call_id, last.tool])
        return page([_letter(row) for row in found[:most]], cursor)

    async def redeliver(self, request: web.Request) -> web.Response:
        tool = queries.existing_name(request, "tool")
        return reply({"redelivered": await self._work.redeliver(tool, queries.text(request, "id"))}, 202)


def _letter(row: WorkRow) -> dict[str, Json]:
    return {
        "id": row.call_id,
        "tool": row.tool,
        "run": row.run_id,
        "capability": row.capability,
        "kind": row.kind,
        "state": row.state,
        "attempts": row.attempts,
        "lease": row.token,
        "holder": row.holder,
        "reason": row.reason,
        "created_at": instant(row.created_at),
        "due_at": instant(row.due_at),
        "deadline_at": instant(row.deadline_at),
    }


def _state(request: web.Request) -> WorkState | None:
    wanted = queries.text(request, "state")
    for state in WORK_STATES:
        if wanted == state:
            return state
    if wanted is not None:
        raise BadParameter("state", f"{wanted[:100]!r} is none of {', '.join(WORK_STATES)}")
    return None


def _lease_ms(request: web.Request) -> int | None:
    """`lease=SECONDS` in milliseconds; None when absent."""
    value = queries.text(request, "lease")
    if value is None:
        return None
    lease_ms = int(float(value) * 1000) if _TEXT.fullmatch(value) else 0
    if not MIN_LEASE_MS <= lease_ms <= MAX_LEASE_MS:
        raise BadParameter(
            "lease", f"must be a number of seconds from {MIN_LEASE_MS // 1000} to {MAX_LEASE_MS // 1000}"
        )
    return lease_ms


def _token(request: web.Request) -> int:
    token = queries.integer(request, "penstocklease", least=0, most=_MAX_TOKEN, default=0)
    if not token:
        raise BadParameter("penstocklease", "must be the number of the lease, as the event has it")
    return token


def _call_id(request: web.Request) -> str:
    call_id = request.match_info["id"]
    if len(call_id) > MAX_NAME_CHARACTERS or not call_id.isascii() or not call_id.isprintable():
        raise NotFound("the id in the path is none that work can have")
    return call_id


def _holder(request: web.Request) -> str:
    return (request.remote or "")[:MAX_NAME_CHARACTERS]


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
