"""The routes of the machinery surface, with the answers and error bodies that its clients know."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from penstock.errors import NotFound
from penstock.model.json_value import Json
from penstock.model.limits import MACHINERY_WAIT_MS
from penstock.notations.machinery_document import NAMESPACE, missing_inputs, unwrap_event
from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.bodies import is_json, media_type, parse_json, read_bytes
from penstock.server.endpoints import Answer, Body, Endpoint, Parameter
from penstock.server.machinery import (
    InvalidDefinition,
    Machinery,
    MissingServices,
    RegisteredService,
    RegisteredWorkflow,
    plain,
)
from penstock.server.parameters import CURSOR, IDEMPOTENCY_KEY, LIMIT
from penstock.server.problems import problem
from penstock.server.refusals import BadRequest
from penstock.server.replies import instant, no_content, page, reply
from penstock.server.schemas import ANY, INSTANT, TEXT, listing, record, ref
from penstock.server.waiting import Waiting

RUN_HEADER: Final = "Penstock-Run"
_ID: Final = Parameter("id", "path", {"type": "string", "pattern": "^[0-9a-f]{24}$"}, "The id of the receipt")
_WORKFLOW: Final = Parameter("workflow", "path", {"type": "string", "minLength": 1}, "A workflow's id or name")
_ASYNC: Final = Parameter("async", "query", {"type": "boolean"}, "Answer with a receipt at once")
_PREFER: Final = Parameter("Prefer", "header", TEXT, "respond-async: answer with a receipt at once")
_ERRORS: Final = record({})
_REFUSED: Final = (
    Answer(400, "Empty, or not JSON", _ERRORS),
    Answer(409, "Wrong, field by field, or naming a service that does not exist", _ERRORS),
    Answer(415, "Not JSON by its content type", _ERRORS),
)


class MachineryApi:
    """Services, workflows, events."""

    def __init__(self, engine: Engine, waiting: Waiting) -> None:
        self._engine = engine
        self._waiting = waiting
        self._machinery = Machinery(engine)

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (*self._definitions(), *self._others())

    def _definitions(self) -> tuple[Endpoint, ...]:
        service = record({"service_id": TEXT, "created_at": INSTANT}, {"name": TEXT, "address": TEXT})
        workflow = record({"workflow_id": TEXT, "created_at": INSTANT}, {"name": TEXT})
        service_receipt = record({"service_id": TEXT, "ack_date": INSTANT})
        workflow_receipt = record({"workflow_id": TEXT, "ack_date": INSTANT})
        return (
            Endpoint(
                "POST",
                "/s",
                "Register a service",
                handler=self.create_service,
                answers=(Answer(201, "Registered", service_receipt), *_REFUSED),
                body=Body(ref("MachineryService")),
                problems=(413,),
                tag="machinery",
            ),
            Endpoint(
                "GET",
                "/s",
                "List services",
                handler=self.list_services,
                answers=(Answer(200, "A page", listing(service)),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="machinery",
            ),
            Endpoint(
                "GET",
                "/s/{id}",
                "A service",
                handler=self.get_service,
                answers=(Answer(200, "Its definition", service),),
                parameters=(_ID,),
                problems=(404,),
                tag="machinery",
            ),
            Endpoint(
                "POST",
                "/w",
                "Store a workflow",
                handler=self.create_workflow,
                answers=(Answer(201, "Stored", workflow_receipt), *_REFUSED),
                body=Body(ref("MachineryWorkflow")),
                problems=(413,),
                tag="machinery",
            ),
            Endpoint(
                "GET",
                "/w",
                "List workflows",
                handler=self.list_workflows,
                answers=(Answer(200, "A page", listing(workflow)),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="machinery",
            ),
            Endpoint(
                "GET",
                "/w/{id}",
                "A workflow",
                handler=self.get_workflow,
                answers=(Answer(200, "Its definition", workflow),),
                parameters=(_ID,),
                problems=(404,),
                tag="machinery",
            ),
        )

    def _others(self) -> tuple[Endpoint, ...]:
        receipt = record({"event_id": TEXT, "ack_date": INSTANT, "status": TEXT})
        return (
            Endpoint(
                "POST",
                "/e/{workflow}",
                "Process an event with a workflow",
                handler=self.process,
                answers=(
                    Answer(201, "The outputs", ANY),
                    Answer(202, "A receipt", receipt),
                    _REFUSED[0],
                    _REFUSED[2],
                ),
                parameters=(_WORKFLOW, _ASYNC, _PREFER, IDEMPOTENCY_KEY),
                body=Body({"type": "object"}),
                problems=(400, 404, 409, 413, 422, 502),
                tag="machinery",
            ),
            Endpoint(
                "GET",
                "/healthcheck",
                "Is the server there",
                handler=self.health,
                answers=(Answer(204, "It is"),),
                tag="machinery",
            ),
        )

    async def create_service(self, request: web.Request) -> web.Response:
        data = await _payload(request)
        if isinstance(data, web.Response):
            return data
        try:
            service = await self._machinery.register_service(data)
        except InvalidDefinition as error:
            return reply(error.fields, 409)
        return reply({"service_id": service.id, "ack_date": instant(service.updated_at)}, 201)

    async def create_workflow(self, request: web.Request) -> web.Response:
        data = await _payload(request)
        if isinstance(data, web.Response):
            return data
        try:
            workflow = await self._machinery.register_workflow(data)
        except InvalidDefinition as error:
            return reply(error.fields, 409)
        except MissingServices as error:
            return reply({"message": error.detail, "missing": error.names}, 409)
        return reply({"workflow_id": workflow.id, "ack_date": instant(workflow.created_at)}, 201)

    async def list_services(self, request: web.Request) -> web.Response:
        return _page_of(request, [_service_view(service) for service in await self._machinery.services()])

    async def get_service(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        for service in await self._machinery.services():
            if service.id == wanted:
                return reply(_service_view(service))
        raise NotFound(f"there is no service {wanted[:100]!r}")

    async def list_workflows(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        found = await self._machinery.workflows(queries.read_cursor(request, str) or "", most + 1)
        cursor = queries.write_cursor(found[most - 1].label) if len(found) > most else None
        return page([_workflow_view(workflow) for workflow in found[:most]], cursor)

    async def get_workflow(self, request: web.Request) -> web.Response:
        return reply(_workflow_view(await self._machinery.workflow(request.match_info["id"])))

    async def health(self, request: web.Request) -> web.Response:
        return no_content()

    async def process(self, request: web.Request) -> web.Response:
        data = await _payload(request)
        if isinstance(data, web.Response):
            return data
        workflow = await self._machinery.workflow(request.match_info["workflow"])
        if not isinstance(data, dict):
            return reply({"message": "payload must be a JSON object"}, 400)
        event = unwrap_event(workflow.definition, data)
        if missing := missing_inputs(workflow.definition, event):
            detail = f"missing inputs: {', '.join(missing)}"
            return problem(422, "Missing inputs", detail, members={"message": detail, "missing": missing})
        return await self._run(request, workflow, event)

    async def _run(self, request: web.Request, workflow: RegisteredWorkflow, event: Json) -> web.Response:
        respond_at_once = queries.flag(request, "async") or _prefers_async(request)
        run = await self._engine.start_run(
            NAMESPACE,
            workflow.label,
            workflow.version,
            event,
            labels={},
            idempotency_key=queries.idempotency_key(request),
        )
        if not respond_at_once:
            run = await self._waiting.ended(run, MACHINERY_WAIT_MS)
        headers = {RUN_HEADER: run.id}
        if respond_at_once or not run.ended:
            receipt = {"event_id": run.id, "ack_date": instant(run.created_at), "status": run.status}
            return reply(receipt, 202, headers=headers)
        if run.status == "completed":
            return reply(run.output, 201, headers=headers)
        return _failure(workflow, run.status, run.error, headers)


async def _payload(request: web.Request) -> Json | web.Response:
    """The body, or the refusal that clients of this surface know."""
    if not is_json(media_type(request)):
        return reply({"message": "json is expected"}, 415)
    try:
        data = parse_json(await read_bytes(request))
    except BadRequest as error:
        return reply({"message": error.detail}, 400)
    return reply({"message": "payload can not be empty"}, 400) if data is None else data


def _prefers_async(request: web.Request) -> bool:
    preferences = ",".join(request.headers.getall("Prefer", [])).split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)


def _failure(workflow: RegisteredWorkflow, status: str, error: Json, headers: dict[str, str]) -> web.Response:
    """502: the service that failed by name, and why."""
    error = error or {}
    service = _service_at(workflow.definition.services, error.get("instance", ""))
    reason = error.get("detail") or error.get("title") or f"the run is {status}"
    detail = f"service {service!r} failed: {reason}" if service else f"the workflow failed: {reason}"
    members = {"message": detail, "run": headers[RUN_HEADER], "error": error} | (
        {"service": service} if service else {}
    )
    return problem(502, "Service failed" if service else "Workflow failed", detail, members=members, headers=headers)


def _service_at(services: Sequence[str], instance: Json) -> str | None:
    """The service of a task by the task's reference: `/do/INDEX/…`."""
    parts = instance.split("/") if isinstance(instance, str) else []
    if len(parts) < 3 or parts[1] != "do" or not parts[2].isdecimal() or int(parts[2]) >= len(services):
        return None
    return services[int(parts[2])]


def _service_view(service: RegisteredService) -> dict[str, Json]:
    definition = plain(service.definition)
    created_at = instant(service.created_at)
    return {"service_id": service.id, "inputs": [], "outputs": [], **definition, "created_at": created_at}


def _workflow_view(workflow: RegisteredWorkflow) -> dict[str, Json]:
    definition = plain(workflow.definition)
    return {
        "workflow_id": workflow.id,
        "inputs": [],
        "outputs": [],
        "operations": [],
        **definition,
        "version": workflow.version,
        "created_at": instant(workflow.created_at),
    }


def _page_of(request: web.Request, items: list[dict[str, Json]]) -> web.Response:
    most = queries.limit(request)
    first = queries.read_position(request) or 0
    cursor = queries.write_cursor(first + most) if len(items) > first + most else None
    return page([*items[first : first + most]], cursor)
