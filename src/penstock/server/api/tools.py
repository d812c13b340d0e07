"""Tools and the capabilities they provide."""

import asyncio

from aiohttp import web

from penstock.errors import Conflict, NotFound
from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.views import StoredTool
from penstock.server import queries
from penstock.server.bodies import read_object
from penstock.server.endpoints import Answer, Body, Endpoint
from penstock.server.parameters import CURSOR, LIMIT, TOOL
from penstock.server.refusals import BadRequest
from penstock.server.replies import no_content, reply
from penstock.server.schemas import TEXT, listing, record, ref
from penstock.server.tool_bodies import definition_of
from penstock.server.views import tool_view
from penstock.tools.contract import ToolDefinition

_BODY = Body(ref("ToolDefinition"))
_TOOL = ref("Tool")


class ToolsApi:
    """Registered tools."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._registering = asyncio.Lock()

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
        async with self._registering:  # of two that come at once, one is first
            return await self._created(definition)

    async def _created(self, definition: ToolDefinition) -> web.Response:
        if (there := await self._existing(definition.name)) is not None:
            if there.definition != definition:
                raise Conflict(f"there is another tool {definition.name!r}; PUT replaces it")
            return reply(tool_view(there))
        stored = await self._engine.put_tool(definition)
        return reply(tool_view(stored), 201, headers={"Location": f"/api/v1/tools/{definition.name}"})

    async def replace(self, request: web.Request) -> web.Response:
        name = queries.new_name(request, "tool")
        body = await read_object(request)
        if body.get("name", name) != name:
            raise BadRequest(f"name: must be {name!r}, the name in the path, or absent")
        definition = definition_of({**body, "name": name})
        async with self._registering:
            there = await self._existing(name)
            return reply(tool_view(await self._engine.put_tool(definition)), 201 if there is None else 200)

    async def list(self, request: web.Request) -> web.Response:
        return queries.page_by_name(request, [tool_view(tool) for tool in await self._engine.list_tools()])

    async def get(self, request: web.Request) -> web.Response:
        return reply(tool_view(await self._engine.get_tool(queries.existing_name(request, "tool"))))

    async def delete(self, request: web.Request) -> web.Response:
        await self._engine.delete_tool(queries.existing_name(request, "tool"))
        return no_content()

    async def capabilities(self, request: web.Request) -> web.Response:
        provided = await self._engine.capabilities()
        items: list[dict[str, Json]] = [{"name": name, "tools": tools} for name, tools in provided.items()]
        return queries.page_by_name(request, items)

    async def _existing(self, name: str) -> StoredTool | None:
        try:
            return await self._engine.get_tool(name)
        except NotFound:
            return None
