"""Tools and the capabilities they provide."""

import msgspec
from aiohttp import web

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.bodies import read_object
from penstock.server.endpoints import Answer, Body, Endpoint
from penstock.server.parameters import CURSOR, LIMIT, TOOL
from penstock.server.replies import no_content, page, reply
from penstock.server.schemas import TEXT, listing, record, ref
from penstock.server.views import tool_view
from penstock.tools.contract import ToolDefinition

_BODY = Body(ref("ToolDefinition"))
_TOOL = ref("Tool")


class ToolsApi:
    """Registered tools."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        capability = record({"name": TEXT, "tools": {"type": "array", "items": TEXT}})
        return (
            Endpoint(
                "POST",
                "/api/v1/tools",
                "Register a tool",
                handler=self.create,
                answers=(Answer(201, "Registered", _TOOL), Answer(200, "Was there already", _TOOL)),
                body=_BODY,
                problems=(400, 409, 413, 415, 422),
                tag="tools",
            ),
            Endpoint(
                "GET",
                "/api/v1/tools",
                "List tools",
                handler=self.list,
                answers=(Answer(200, "A page", listing(_TOOL)),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="tools",
            ),
            Endpoint(
                "GET",
                "/api/v1/tools/{name}",
                "A tool",
                handler=self.get,
                answers=(Answer(200, "The tool", _TOOL),),
                parameters=(TOOL,),
                problems=(404,),
                tag="tools",
            ),
            Endpoint(
                "PUT",
                "/api/v1/tools/{name}",
                "Register or replace a tool",
                handler=self.replace,
                answers=(Answer(200, "Replaced", _TOOL), Answer(201, "Registered", _TOOL)),
                parameters=(TOOL,),
                body=_BODY,
                problems=(400, 413, 415, 422),
                tag="tools",
            ),
            Endpoint(
                "DELETE",
                "/api/v1/tools/{name}",
                "Forget a tool",
                handler=self.delete,
                answers=(Answer(204, "Forgotten"),),
                parameters=(TOOL,),
                problems=(404,),
                tag="tools",
            ),
            Endpoint(
                "GET",
                "/api/v1/capabilities",
                "What can be called, and who provides it",
                handler=self.capabilities,
                answers=(Answer(200, "A page", listing(capability)),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="tools",
            ),
        )

    async def create(self, request: web.Request) -> web.Response:
        definition = definition_of(await read_object(request))
        if (there := await self._existing(definition.name)) is not None:
            if there.definition != definition:
                raise Conflict(f"there is another tool {definition.name!r}; PUT replaces it")
            return reply(tool_view(there))
        stored = await self._engine.put_tool(definition)
        return reply(tool_view(stored), 201, headers={"Location": f"/api/v1/tools/{definition.name}"})

    async def replace(self, request: web.Request) -> web.Response:
        name = queries.new_name(request, "tool")
        definition = definition_of({**await read_object(request), "name": name})
        there = await self._existing(name)
        return reply(tool_view(await self._engine.put_tool(definition)), 201 if there is None else 200)

    async def list(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        after = queries.read_cursor(request, str) or ""
        tools = sorted(await self._engine.list_tools(), key=lambda tool: tool.definition.name)
        found = [tool for tool in tools if tool.definition.name > after]
        cursor = queries.write_cursor(found[most - 1].definition.name) if len(found) > most else None
        return page([tool_view(tool) for tool in found[:most]], cursor)

    async def get(self, request: web.Request) -> web.Response:
        return reply(tool_view(await self._engine.get_tool(queries.existing_name(request, "tool"))))

    async def delete(self, request: web.Request) -> web.Response:
        await self._engine.delete_tool(queries.existing_name(request, "tool"))
        return no_content()

    async def capabilities(self, request: web.Request) -> web.Response:
        most = queries.limit(request)
        after = queries.read_cursor(request, str) or ""
        providers = await self._engine.capabilities()
        names = sorted(name for name in providers if name > after)
        cursor = queries.write_cursor(names[most - 1]) if len(names) > most else None
        return page([{"name": name, "tools": sorted(providers[name])} for name in names[:most]], cursor)

    async def _existing(self, name: str) -> Json:
        try:
            return await self._engine.get_tool(name)
        except NotFound:
            return None


def definition_of(body: dict[str, Json]) -> ToolDefinition:
    """The tool that a body describes; `Unprocessable` names the member that is wrong."""
    try:
        definition = msgspec.convert(body, ToolDefinition)
    except msgspec.ValidationError as error:
        raise _invalid(*_place_of(str(error))) from None
    for member in ("name", "capability"):
        if not queries.is_name(getattr(definition, member)):
            raise _invalid(
                "/" + member, "has letters, digits, '_', '-' and '.', and begins with none of the last two"
            )
    if not definition.transport.endpoint.startswith(("http://", "https://")):
        raise _invalid("/transport/endpoint", "must be an http or https address")
    return definition


def _place_of(message: str) -> tuple[str, str]:
    """Splits a conversion error into the JSON Pointer of its place and what is wrong there."""
    reason, _, path = message.partition(" - at `$")
    return path.rstrip("`").replace(".", "/").replace("[", "/").replace("]", ""), reason


def _invalid(pointer: str, reason: str) -> Unprocessable:
    finding = Diagnostic("error", pointer, reason, "tool")
    return Unprocessable(f"{pointer or 'the tool'}: {reason}", errors=(finding,))
