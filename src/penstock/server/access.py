"""Who may ask: a bearer token where one is set; without one only this machine, and no foreign web page.

Without a token nothing tells a person's own programs from a web page that she looks at. So a name that is not
loopback in `Host` (DNS rebinding) and a foreign `Origin` (cross-site requests) are refused.
"""

import hmac
import ipaddress
from hashlib import sha256
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from penstock.server.refusals import Forbidden, Unauthorized, UnsafeBinding

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and nothing else."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def require_safe_binding(host: str, token: str | None) -> None:
    """Raises `UnsafeBinding` for an address that others can reach when no token guards it."""
    if not token and not is_loopback(host):
        raise UnsafeBinding(
            f"{host} can be reached from other machines; set a token (PENSTOCK_TOKEN) or listen on 127.0.0.1"
        )


def access_guard(token: str | None) -> Middleware:
    """The middleware that checks every request before its handler sees it."""
    return _token_guard(token) if token else _local_guard


def _token_guard(token: str) -> Middleware:
    expected = sha256(token.encode()).digest()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS and not _bears(request, expected):
            raise Unauthorized("this server asks for Authorization: Bearer TOKEN")
        return await handler(request)

    return guard


def _bears(request: web.Request, expected: bytes) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # Hashes have one length, so that the comparison tells nothing about the token's.
    given = sha256(token.strip().encode("utf8", "surrogateescape")).digest()
    return hmac.compare_digest(given, expected) and scheme.lower() == "bearer"


@web.middleware
async def _local_guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = _host_of(f"http://{request.headers.get('Host', '')}")
    if host is None or not is_loopback(host):
        raise Forbidden("without a token this server answers to localhost only: the Host header names another host")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback(_host_of(origin) or ""):
        raise Forbidden("without a token this server refuses requests that another site's page makes (Origin header)")
    return await handler(request)


def _host_of(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None
