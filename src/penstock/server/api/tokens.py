"""API tokens: made and told once, listed without their text, revoked."""

from typing import Final, cast

from aiohttp import web

from penstock.errors import NotFound
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json
from penstock.model.limits import MAX_TOKEN_NAMESPACES, MAX_TOKEN_SCOPES
from penstock.runtime.engine import Engine
from penstock.runtime.tokens import ALL, TokenWish
from penstock.server import queries
from penstock.server.bodies import read_object
from penstock.server.endpoints import Answer, Body, Endpoint, Parameter
from penstock.server.parameters import CURSOR, LIMIT
from penstock.server.refusals import BadRequest
from penstock.server.replies import instant, no_content, page, reply
from penstock.server.schemas import DNS_LABEL, INSTANT, MAYBE_INSTANT, TEXT, listing, record
from penstock.store.rows import ApiToken

_SCOPE: Final[Json] = {"type": "string", "pattern": "^(admin|author|operate|trigger|view|tool:[A-Za-z0-9_.-]+)$"}
_SCOPES: Final[Json] = {"type": "array", "items": _SCOPE, "minItems": 1, "maxItems": MAX_TOKEN_SCOPES}
_NAMESPACES: Final[Json] = {
    "type": ["array", "null"],
    "items": DNS_LABEL,
    "minItems": 1,
    "maxItems": MAX_TOKEN_NAMESPACES,
    "description": "null: all",
}
_MEMBERS: Final[dict[str, Json]] = {
    "id": TEXT,
    "name": TEXT,
    "scopes": _SCOPES,
    "namespaces": _NAMESPACES,
    "created_at": INSTANT,
    "expires_at": MAYBE_INSTANT,
    "last_used_at": MAYBE_INSTANT,
    "revoked": {"type": "boolean"},
    "revoked_at": MAYBE_INSTANT,
}
_WISH: Final[Json] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "scopes"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "scopes": _SCOPES,
        "namespaces": _NAMESPACES,
        "expires_in": {
            "type": ["string", "number", "null"],
            "description": "An ISO 8601 duration (P30D), or seconds; null: never",
        },
    },
}
_ID: Final = Parameter("id", "path", {"type": "string", "pattern": "^[0-9a-f]{16}$"}, "The token's id")


class TokensApi:
    """Who may ask for what."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "POST",
                "/api/v1/tokens",
                "Make a token, which is told this once",
                handler=self.create,
                answers=(Answer(201, "The token", record({**_MEMBERS, "token": TEXT})),),
                body=Body(_WISH),
                problems=(400, 409, 413, 415),
                tag="tokens",
            ),
            Endpoint(
                "GET",
                "/api/v1/tokens",
                "List tokens, the oldest first, without their text",
                handler=self.list,
                answers=(Answer(200, "A page", listing(record(_MEMBERS))),),
                parameters=(LIMIT, CURSOR),
                problems=(400,),
                tag="tokens",
            ),
            Endpoint(
                "DELETE",
                "/api/v1/tokens/{id}",
                "Revoke a token",
                handler=self.revoke,
                answers=(Answer(204, "Revoked"),),
                parameters=(_ID,),
                problems=(404, 409),
                tag="tokens",
            ),
        )

    async def create(self, request: web.Request) -> web.Response:
        wish = read_wish(await read_object(request))
        stored, text = await self._engine.tokens.create(wish)
        return reply({**token_view(stored), "token": text}, 201)

    async def list(self, request: web.Request) -> web.Response:
        most, first = queries.limit(request), queries.read_position(request) or 0
        found = await self._engine.tokens.listed()
        cursor = queries.write_cursor(first + most) if len(found) > first + most else None
        return page([token_view(token) for token in found[first : first + most]], cursor)

    async def revoke(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        if not wanted.isascii():
            raise NotFound(f"there is no token {wanted[:100]!r}")
        await self._engine.tokens.revoke(wanted)
        return no_content()


def read_wish(body: dict[str, Json]) -> TokenWish:
    """The wish of a body. Nothing is guessed: a member that is not known could have been meant to limit the token."""
    if unknown := [name for name in body if name not in _WISH["properties"]]:
        raise BadRequest(f"{unknown[0][:100]!r} is not known; there are {', '.join(_WISH['properties'])}")
    name = body.get("name")
    if not isinstance(name, str):
        raise BadRequest("name: must be a text")
    namespaces = body.get("namespaces")
    return TokenWish(
        name=name,
        scopes=_texts(body.get("scopes"), "scopes"),
        namespaces=None if namespaces is None else _texts(namespaces, "namespaces"),
        expires_in_ms=_duration(body.get("expires_in")),
    )


def token_view(token: ApiToken) -> dict[str, Json]:
    """A token for people and programs; never its text, nor its hash."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes.split(),
        "namespaces": None if token.namespaces == ALL else token.namespaces.split(),
        "created_at": instant(token.created_at),
        "expires_at": instant(token.expires_at),
        "last_used_at": instant(token.last_used_at),
        "revoked": token.revoked_at != 0,
        "revoked_at": instant(token.revoked_at),
    }


def _texts(value: Json, name: str) -> tuple[str, ...]:
    items = cast("list[Json]", value) if isinstance(value, list) else None
    if items is None or not all(isinstance(item, str) for item in items):
        raise BadRequest(f"{name}: must be a list of texts")
    return tuple(items)


def _duration(value: Json) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12:
        return int(value * 1000)
    found = duration_ms(value) if isinstance(value, str) else "must be an ISO 8601 duration, like P30D, or seconds"
    if isinstance(found, str):
        raise BadRequest(f"expires_in: {found[:300]}")
    return found
