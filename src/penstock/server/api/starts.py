"""Starting runs."""

from aiohttp import web

from penstock.errors import TooLarge
from penstock.model.json_value import Json
from penstock.model.limits import MAX_VALUE_BYTES
from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.bodies import read_bytes, read_optional_json
from penstock.server.endpoints import Answer, Body, Endpoint
from penstock.server.parameters import AT, IDEMPOTENCY_KEY, LABEL, NAMESPACE, QUERY_VERSION, WAIT, WORKFLOW
from penstock.server.replies import encode, reply
from penstock.server.schemas import ANY, ref
from penstock.server.waiting import Waiting


class StartsApi:
    """One call: start a run, and perhaps wait for its end."""

    def __init__(self, engine: Engine, waiting: Waiting) -> None:
        self._engine = engine
        self._waiting = waiting

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "POST",
                "/api/v1/workflows/{namespace}/{name}/runs",
                "Start a run; the body is its input",
                handler=self.start,
                answers=(
                    Answer(202, "Started", ref("Run")),
                    Answer(200, "Ended in the time waited", ref("Run")),
                ),
                parameters=(NAMESPACE, WORKFLOW, QUERY_VERSION, WAIT, LABEL, AT, IDEMPOTENCY_KEY),
                body=Body(ANY, required=False),
                problems=(400, 404, 409, 413, 415),
                tag="runs",
            ),
        )

    async def start(self, request: web.Request) -> web.Response:
        namespace, name = queries.workflow_name(request)
        wait_ms = queries.wait_ms(request)
        run = await self._engine.start_run(
            namespace,
            name,
            queries.query_version(request),
            await _read_input(request),
            labels=queries.labels(request),
            idempotency_key=queries.idempotency_key(request),
            at=queries.instant_ms(request, "at"),
        )
        if wait_ms is not None:
            run = await self._waiting.ended(run, wait_ms)
        ended_in_time = wait_ms is not None and run.ended
        return reply(run.as_json(), 200 if ended_in_time else 202, headers={"Location": f"/api/v1/runs/{run.id}"})


async def _read_input(request: web.Request) -> Json:
    """The input; an empty object when the request has no body (DSL: a workflow without input gets one)."""
    value = await read_optional_json(request, {})
    # One value of a run is smaller than a request may be. Blanks between tokens do not count.
    if len(await read_bytes(request)) > MAX_VALUE_BYTES and len(encode(value)) > MAX_VALUE_BYTES:
        raise TooLarge(f"the input is larger than {MAX_VALUE_BYTES} bytes")
    return value
