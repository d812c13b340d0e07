"""Who may ask, and for what: a bearer token where there are any; without one only this machine, and no foreign page.

Without a token nothing tells a person's own programs from a web page that she looks at. So a name that is not
loopback in `Host` (DNS rebinding) and a foreign `Origin` (cross-site requests) are refused.
"""

import hmac
from hashlib import sha256
from typing import Final, assert_never

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from penstock.errors import NotFound
from penstock.runtime.engine import Engine
from penstock.runtime.tokens import EVERYTHING, Grant
from penstock.server.queries import run_id
from penstock.server.reach import GRANT
from penstock.server.refusals import Forbidden, Unauthorized, UnsafeBinding
from penstock.server.scopes import Rule, require_all_namespaces, require_machinery, require_right, rule_of
from penstock.tools.outbound import is_loopback

_UNKNOWN: Final = Rule("anybody")
"""What is asked of who asks for something that is not there."""


def require_safe_binding(host: str, token: str | None) -> None:
    """Raises `UnsafeBinding` for an address that others can reach when no token guards it."""
    if not token and not is_loopback(host):
        raise UnsafeBinding(
            f"{host} can be reached from other machines; set a token (PENSTOCK_TOKEN) or listen on 127.0.0.1"
        )


def access_guard(token: str | None, engine: Engine | None = None) -> Middleware:
    """The middleware that checks every request before its handler sees it. `engine` knows the stored tokens."""
    gate = _Gate(token, engine)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        rule = _rule_for(request)
        if await gate.is_open():
            _require_this_machine(request)
            request[GRANT] = EVERYTHING
        elif rule.right == "nobody":
            request[GRANT] = EVERYTHING  # what everybody is told is the same for all
        else:
            request[GRANT] = grant = await gate.grant(request)
            require_right(grant, rule.right, tool=request.match_info.get("name", ""))
            if grant.namespaces is not None:
                await gate.require_reach(request, rule, grant)
        return await handler(request)

    return guard


class _Gate:
    def __init__(self, token: str | None, engine: Engine | None) -> None:
        self._expected = sha256(token.encode()).digest() if token else None
        self._engine = engine

    async def is_open(self) -> bool:
        """Development mode: there is no token, neither set nor stored."""
        if self._expected is not None:
            return False
        if self._engine is None:
            return True
        await self._engine.tokens.refresh()
        return not self._engine.tokens.exist

    async def grant(self, request: web.Request) -> Grant:
        """What the bearer of the request's token may do. Raises `Unauthorized`."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        text = given.strip()
        if scheme.lower() != "bearer" or not text:
            raise Unauthorized("this server asks for Authorization: Bearer TOKEN")
        # Hashes have one length, so that the comparison tells nothing about the token's.
        digest = sha256(text.encode("utf8", "surrogateescape")).digest()
        if self._expected is not None and hmac.compare_digest(digest, self._expected):
            return EVERYTHING
        found = None if self._engine is None else await self._engine.tokens.find(text)
        if found is None:
            raise Unauthorized("the token is unknown, expired or revoked")
        return found

    async def require_reach(self, request: web.Request, rule: Rule, grant: Grant) -> None:
        """For a token that is bound to namespaces. Raises `OutOfReach`, and `NotFound` for a run elsewhere."""
        match rule.reach:
            case "none" | "handler":
                pass
            case "path":
                grant.require(request.match_info["namespace"])
            case "run":
                assert self._engine is not None, "only stored tokens are bound"
                await require_run(self._engine, grant, run_id(request))
            case "machinery":
                require_machinery(grant)
            case "all":
                require_all_namespaces(grant)
            case _:
                assert_never(rule.reach)


async def require_run(engine: Engine, grant: Grant, wanted: str) -> None:
    """Raises `NotFound` for a run that is not there, or not in the caller's namespaces: which of both is not told."""
    if grant.namespaces is not None and not grant.sees(await engine.run_namespace(wanted)):
        raise NotFound(f"there is no run {wanted}")


def _rule_for(request: web.Request) -> Rule:
    resource = request.match_info.route.resource
    return _UNKNOWN if resource is None else rule_of(request.method, resource.canonical)


def _require_this_machine(request: web.Request) -> None:
    host = _host_of(f"http://{request.headers.get('Host', '')}")
    if host is None or not is_loopback(host):
        raise Forbidden("without a token this server answers to localhost only: the Host header names another host")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback(_host_of(origin) or ""):
        raise Forbidden("without a token this server refuses requests that another site's page makes (Origin header)")


def _host_of(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None
