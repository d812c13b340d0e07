"""Workflows: check, store, list, read, delete."""

from aiohttp import web

from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.bodies import read_document
from penstock.server.endpoints import Answer, Body, Endpoint, Parameter
from penstock.server.parameters import CURSOR, LIMIT, NAMESPACE, PATH_VERSION, WORKFLOW
from penstock.server.problems import findings
from penstock.server.reach import grant_of, visible_workflows
from penstock.server.replies import no_content, page, reply
from penstock.server.schemas import DNS_LABEL, TEXT, listing, ref
from penstock.server.views import workflow_definition, workflow_summary

_DOCUMENT = Body({"type": ["string", "object"]}, ("application/yaml", "application/json"))
_NAMESPACE_FILTER = Parameter("namespace", "query", DNS_LABEL, "Only this namespace")
_NOTATION = Parameter("notation", "query", TEXT, "The notation; detected when absent")
_PATH = "/api/v1/workflows/{namespace}/{name}"


class WorkflowsApi:
    """Definitions of workflows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        definition = ref("WorkflowDefinition")
        return (
            Endpoint(
                "POST",
                "/api/v1/workflows",
                "Store a workflow",
                handler=self.deploy,
                answers=(
                    Answer(201, "Stored", ref("Deployed")),
                    Answer(200, "Was there already", ref("Deployed")),
                ),
                parameters=(_NOTATION,),
                body=_DOCUMENT,
                problems=(400, 409, 413, 415, 422),
                tag="workflows",
            ),
            Endpoint(
                "POST",
                "/api/v1/workflows:check",
                "Say what is wrong with a workflow, store nothing",
                handler=self.check,
                answers=(Answer(200, "What was found", ref("Checked")),),
                parameters=(_NOTATION,),
                body=_DOCUMENT,
                problems=(400, 413, 415),
                tag="workflows",
            ),
            Endpoint(
                "GET",
                "/api/v1/workflows",
                "List workflows",
                handler=self.list,
                answers=(Answer(200, "A page", listing(ref("Workflow"))),),
                parameters=(_NAMESPACE_FILTER, LIMIT, CURSOR),
                problems=(400,),
                tag="workflows",
            ),
            Endpoint(
                "GET",
                _PATH,
                "The latest version of a workflow",
                handler=self.latest,
                answers=(Answer(200, "Definition and metadata", definition),),
                parameters=(NAMESPACE, WORKFLOW),
                problems=(404,),
                tag="workflows",
            ),
            Endpoint(
                "GET",
                _PATH + "/{version}",
                "One version of a workflow",
                handler=self.get,
                answers=(Answer(200, "Definition and metadata", definition),),
                parameters=(NAMESPACE, WORKFLOW, PATH_VERSION),
                problems=(404,),
                tag="workflows",
            ),
            Endpoint(
                "DELETE",
                _PATH + "/{version}",
                "Delete a version; its runs go on",
                handler=self.delete,
                answers=(Answer(204, "Deleted"),),
                parameters=(NAMESPACE, WORKFLOW, PATH_VERSION),
                problems=(404,),
                tag="workflows",
            ),
        )

    async def deploy(self, request: web.Request) -> web.Response:
        notation = queries.text(request, "notation")
        document = await read_document(request)
        result = await self._engine.deploy(document, notation=notation, allow=grant_of(request).require)
        stored = workflow_summary(result.stored)
        body = {**stored, "bounds": result.bounds, "warnings": findings(result.warnings)}
        return reply(body, 201 if result.created else 200)

    async def check(self, request: web.Request) -> web.Response:
        notation = queries.text(request, "notation")
        result = await self._engine.check(await read_document(request), notation=notation)
        return reply(
            {
                "valid": result.valid,
                "errors": findings(tuple(d for d in result.diagnostics if d.severity == "error")),
                "warnings": findings(tuple(d for d in result.diagnostics if d.severity == "warning")),
                "bounds": result.bounds,
            }
        )

    async def list(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        after = queries.read_cursor(request, tuple[str, str, str])
        namespace = queries.text(request, "namespace")
        found = await visible_workflows(
            self._engine, grant_of(request), namespace=namespace, after=after, limit=most + 1
        )
        shown = found[:most]
        more = len(found) > most
        cursor = queries.write_cursor((shown[-1].namespace, shown[-1].name, shown[-1].version)) if more else None
        return page([workflow_summary(workflow) for workflow in shown], cursor)

    async def latest(self, request: web.Request) -> web.Response:
        namespace, name = queries.workflow_name(request)
        return reply(workflow_definition(await self._engine.get_workflow(namespace, name)))

    async def get(self, request: web.Request) -> web.Response:
        namespace, name = queries.workflow_name(request)
        version = queries.path_version(request)
        return reply(workflow_definition(await self._engine.get_workflow(namespace, name, version)))

    async def delete(self, request: web.Request) -> web.Response:
        namespace, name = queries.workflow_name(request)
        await self._engine.delete_workflow(namespace, name, queries.path_version(request))
        return no_content()
