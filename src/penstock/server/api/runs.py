"""Runs: read, list, watch and steer."""

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.views import summary_json
from penstock.server import queries
from penstock.server.bodies import read_object
from penstock.server.endpoints import EVENT_STREAM, Answer, Body, Endpoint, Parameter
from penstock.server.event_stream import StreamItem, Streams
from penstock.server.parameters import CURSOR, LABEL, LAST_EVENT_ID, LIMIT, RUN, SINCE, UNTIL
from penstock.server.prune_bodies import PRUNE_WISH, PRUNED, pruned_json, read_wish
from penstock.server.reach import grant_of, visible_runs
from penstock.server.refusals import BadRequest
from penstock.server.replies import no_content, page, reply
from penstock.server.schemas import RUN_ID, STATUS, STATUSES, TEXT, listing, record, ref
from penstock.server.scopes import require_all_namespaces

_PATH = "/api/v1/runs/{id}"
_FILTERS = (
    Parameter("status", "query", STATUS, "Only runs in this status"),
    Parameter("id_prefix", "query", TEXT, "Only runs whose id begins so"),
    Parameter("workflow", "query", TEXT, "Only runs of this workflow: namespace/name, or a name in any namespace"),
)
_SEQ = Parameter("seq", "query", {"type": "integer", "minimum": 0}, "After this message; the newest when absent")
_NOT_THERE = (404,)


class RunsApi:
    """Runs that exist."""

    def __init__(self, engine: Engine, streams: Streams) -> None:
        self._engine = engine
        self._streams = streams

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (*self._readers(), *self._controls(), self._pruning())

    def _readers(self) -> tuple[Endpoint, ...]:
        event = ref("CloudEvent")
        return (
            Endpoint(
                "GET",
                "/api/v1/runs",
                "List runs, newest first",
                handler=self.list,
                answers=(Answer(200, "A page", listing(ref("RunSummary"))),),
                parameters=(*_FILTERS, LABEL, SINCE, UNTIL, LIMIT, CURSOR),
                problems=(400,),
                tag="runs",
            ),
            Endpoint(
                "GET",
                _PATH,
                "A run with its newest tasks",
                handler=self.get,
                answers=(Answer(200, "The run", ref("Run")),),
                parameters=(RUN,),
                problems=_NOT_THERE,
                tag="runs",
            ),
            Endpoint(
                "GET",
                _PATH + "/tasks",
                "All task runs, in the order in which they were entered",
                handler=self.tasks,
                answers=(Answer(200, "A page", listing(ref("TaskRun"))),),
                parameters=(RUN, LIMIT, CURSOR),
                problems=(400, 404),
                tag="runs",
            ),
            Endpoint(
                "GET",
                _PATH + "/history",
                "What happened, in order, as lifecycle events",
                handler=self.history,
                answers=(Answer(200, "A page", listing(event)),),
                parameters=(RUN, LIMIT, CURSOR),
                problems=(400, 404),
                tag="runs",
            ),
            Endpoint(
                "GET",
                _PATH + "/state",
                "The state after a message",
                handler=self.state,
                answers=(Answer(200, "The state", {"type": "object"}),),
                parameters=(RUN, _SEQ),
                problems=(400, 404),
                tag="runs",
            ),
            Endpoint(
                "GET",
                _PATH + "/stream",
                "The history, live",
                handler=self.stream,
                answers=(Answer(200, "Server-sent events", TEXT, EVENT_STREAM),),
                parameters=(RUN, LAST_EVENT_ID),
                problems=(400, 404, 503),
                tag="runs",
            ),
        )

    def _controls(self) -> tuple[Endpoint, ...]:
        status = record({"id": RUN_ID, "status": STATUS})
        accepted = (Answer(202, "Accepted", status),)
        retried = (Answer(202, "The new run", record({"id": RUN_ID, "retry_of": RUN_ID})),)
        where = Body(record({}, {"from": {"type": ["string", "null"]}}), required=False)
        engine = self._engine
        return (
            Endpoint(
                "POST",
                _PATH + ":cancel",
                "End a run early",
                handler=self._control(engine.cancel),
                answers=accepted,
                parameters=(RUN,),
                problems=(404, 409),
                tag="runs",
            ),
            Endpoint(
                "POST",
                _PATH + ":suspend",
                "Hold a run",
                handler=self._control(engine.suspend),
                answers=accepted,
                parameters=(RUN,),
                problems=(404, 409),
                tag="runs",
            ),
            Endpoint(
                "POST",
                _PATH + ":resume",
                "Let a held run go on",
                handler=self._control(engine.resume),
                answers=accepted,
                parameters=(RUN,),
                problems=(404, 409),
                tag="runs",
            ),
            Endpoint(
                "POST",
                _PATH + ":retry",
                "Run again from a task of an ended run",
                handler=self.retry,
                answers=retried,
                parameters=(RUN,),
                body=where,
                problems=(400, 404, 409, 415),
                tag="runs",
            ),
            Endpoint(
                "DELETE",
                _PATH,
                "Delete an ended run",
                handler=self.delete,
                answers=(Answer(204, "Deleted"),),
                parameters=(RUN,),
                problems=(404, 409),
                tag="runs",
            ),
        )

    def _pruning(self) -> Endpoint:
        return Endpoint(
            "POST",
            "/api/v1/runs:prune",
            "Delete old ended runs, or count them",
            handler=self.prune,
            answers=(Answer(200, "What went or would go; ask again while there is more", PRUNED),),
            body=Body(PRUNE_WISH, required=False),
            problems=(400, 415),
            tag="runs",
        )

    async def list(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        namespace, name = _workflow_filter(request)
        filters: dict[str, Json] = {
            "status": queries.one_of(request, "status", STATUSES),
            "namespace": namespace,
            "name": name,
            "labels": queries.labels(request),
            "since": queries.instant_ms(request, "since"),
            "until": queries.instant_ms(request, "until"),
            "before": queries.read_cursor(request, str),
            "id_prefix": queries.text(request, "id_prefix"),
        }
        found = await visible_runs(self._engine, grant_of(request), filters, most + 1)
        shown = found[:most]
        cursor = queries.write_cursor(shown[-1].id) if len(found) > most else None
        return page([summary_json(run) for run in shown], cursor)

    async def get(self, request: web.Request) -> web.Response:
        return reply((await self._engine.get_run(queries.run_id(request))).as_json())

    async def tasks(self, request: web.Request) -> web.Response:
        run_id, most = queries.run_id(request), queries.limit(request)
        after = queries.read_position(request) or 0
        found = await self._engine.run_tasks(run_id, after=after, limit=most + 1)
        cursor = queries.write_cursor(after + most) if len(found) > most else None
        return page([task.as_json() for task in found[:most]], cursor)

    async def history(self, request: web.Request) -> web.Response:
        run_id, most = queries.run_id(request), queries.limit(request)
        found = await self._engine.history(run_id, queries.read_position(request) or 0, most)
        return page(found.events, None if found.next is None else queries.write_cursor(found.next))

    async def state(self, request: web.Request) -> web.Response:
        run_id = queries.run_id(request)
        seq = queries.integer(request, "seq", least=0, most=queries.MAX_POSITION, default=queries.MAX_POSITION)
        return reply(await self._engine.state_at(run_id, seq))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        run_id, after = queries.run_id(request), queries.last_event(request) or 0
        await self._engine.get_run(run_id)
        return await self._streams.send(request, self._facts(run_id, after))

    async def _facts(self, run_id: str, after: int) -> AsyncIterator[StreamItem]:
        async for seq, event in self._engine.stream(run_id, after):
            yield StreamItem(str(seq), event["type"], event)

    def _control(self, act: Callable[[str], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            run_id = queries.run_id(request)
            await act(run_id)
            run = await self._engine.get_run(run_id)
            return reply({"id": run.id, "status": run.status}, 202)

        return handler

    async def retry(self, request: web.Request) -> web.Response:
        run_id = queries.run_id(request)
        body = await read_object(request, {})
        reference = body.get("from")
        if reference is not None and not isinstance(reference, str):
            raise BadRequest("from: must be the reference of a task, a JSON Pointer")
        run = await self._engine.retry(run_id, reference)
        return reply({"id": run.id, "retry_of": run_id}, 202, headers={"Location": f"/api/v1/runs/{run.id}"})

    async def prune(self, request: web.Request) -> web.Response:
        body = await read_object(request, {})
        wish, grant = read_wish(body, self._engine.clock.now_ms()), grant_of(request)
        if wish.workflow is None:
            require_all_namespaces(grant)
        else:
            grant.require(wish.workflow[0])
        pruned = await self._engine.prune(wish)
        return reply(pruned_json(pruned, dry_run=body.get("dry_run") is True))

    async def delete(self, request: web.Request) -> web.Response:
        await self._engine.delete_run(queries.run_id(request))
        return no_content()


def _workflow_filter(request: web.Request) -> tuple[str | None, str | None]:
    value = queries.text(request, "workflow")
    if value is None:
        return None, None
    namespace, slash, name = value.rpartition("/")
    return (namespace or None) if slash else None, name or None
