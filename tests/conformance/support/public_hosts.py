"""A local stand-in for the two public hosts that the CTK calls: a pet store and an echo of logins."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from penstock.model.json_value import Json

PUBLIC_HOSTS = ("https://petstore.swagger.io", "https://httpbin.org")
PETS: tuple[dict[str, Json], ...] = (
    {"id": 1, "name": "Ada", "status": "available"},
    {"id": 2, "name": "Bruno", "status": "available"},
    {"id": 3, "name": "Clio", "status": "sold"},
)


@asynccontextmanager
async def public_hosts() -> AsyncIterator[dict[str, str]]:
    """Public origin to local origin, served until the block ends."""
    application = web.Application()
    application.add_routes(
        [
            web.get("/v2/pet/findByStatus", _find_by_status),
            web.get("/v2/pet/getPetByName/{name}", _not_found),
            web.get("/v2/pet/{id}", _pet),
            web.get("/v2/swagger.json", _description),
            web.get("/basic-auth/{user}/{password}", _basic_auth),
        ]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield dict.fromkeys(PUBLIC_HOSTS, f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()


async def _find_by_status(request: web.Request) -> web.Response:
    wanted = request.query.getall("status", [])
    return web.json_response([pet for pet in PETS if pet["status"] in wanted])


async def _pet(request: web.Request) -> web.Response:
    found = next((pet for pet in PETS if str(pet["id"]) == request.match_info["id"]), None)
    return await _not_found(request) if found is None else web.json_response(found)


async def _not_found(request: web.Request) -> web.Response:
    return web.json_response({"message": f"nothing at {request.path}"}, status=404)


async def _basic_auth(request: web.Request) -> web.Response:
    user, password = request.match_info["user"], request.match_info["password"]
    right = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if request.headers.get("Authorization") != right:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="stand-in"'})
    return web.json_response({"authenticated": True, "user": user})


async def _description(request: web.Request) -> web.Response:
    return web.json_response(pet_store_description(request.host))


def pet_store_description(host: str) -> Json:
    """A Swagger 2.0 document of the stand-in's two operations, at the given `host:port`."""
    pet = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "status": {"type": "string"}},
    }
    return {
        "swagger": "2.0",
        "info": {"title": "Stand-in pet store", "version": "1.0.0"},
        "host": host,
        "basePath": "/v2",
        "schemes": ["http"],
        "produces": ["application/json"],
        "paths": {
            "/pet/findByStatus": {
                "get": {
                    "operationId": "findPetsByStatus",
                    "parameters": [
                        {
                            "name": "status",
                            "in": "query",
                            "required": True,
                            "type": "array",
                            "items": {"type": "string"},
                            "collectionFormat": "multi",
                        }
                    ],
                    "responses": {"200": {"description": "Pets", "schema": {"type": "array", "items": pet}}},
                }
            },
            "/pet/{petId}": {
                "get": {
                    "operationId": "getPetById",
                    "parameters": [{"name": "petId", "in": "path", "required": True, "type": "integer"}],
                    "responses": {"200": {"description": "The pet", "schema": pet}},
                }
            },
        },
    }
