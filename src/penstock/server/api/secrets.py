"""Secrets: written and named, never read back."""

from aiohttp import web

from penstock.runtime.engine import Engine
from penstock.server import queries
from penstock.server.bodies import read_object
from penstock.server.endpoints import Answer, Body, Endpoint
from penstock.server.parameters import CURSOR, LIMIT, SECRET
from penstock.server.refusals import BadRequest
from penstock.server.replies import no_content
from penstock.server.schemas import ANY, TEXT, listing, record


class SecretsApi:
    """Names in, names out; values only in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "PUT",
                "/api/v1/secrets/{name}",
                "Store a secret",
                handler=self.put,
                answers=(Answer(204, "Stored"),),
                parameters=(SECRET,),
                body=Body(record({"value": ANY})),
                problems=(400, 413, 415),
                tag="secrets",
            ),
            Endpoint(
                "GET",
                "/api/v1/secrets",
                "The names of all secrets",
                handler=self.list,
                answers=(Answer(200, "A page of names", listing(record({"name": TEXT}))),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="secrets",
            ),
            Endpoint(
                "DELETE",
                "/api/v1/secrets/{name}",
                "Delete a secret",
                handler=self.delete,
                answers=(Answer(204, "Deleted"),),
                parameters=(SECRET,),
                problems=(404,),
                tag="secrets",
            ),
        )

    async def put(self, request: web.Request) -> web.Response:
        name = queries.new_name(request, "secret")
        body = await read_object(request)
        if "value" not in body:
            raise BadRequest("value: is missing")
        await self._engine.put_secret(name, body["value"])
        return no_content()

    async def list(self, request: web.Request) -> web.Response:
        names = await self._engine.list_secrets()
        return queries.page_by_name(request, [{"name": name} for name in names])

    async def delete(self, request: web.Request) -> web.Response:
        await self._engine.delete_secret(queries.existing_name(request, "secret"))
        return no_content()
