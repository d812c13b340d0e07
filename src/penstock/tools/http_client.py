"""One HTTP exchange over shared connections: every outcome is a response or a fault, under limits.

Invariant: nothing here looks at the environment (no proxies, no netrc), keeps cookies, or follows a redirect
that it was not asked to follow; a fault never repeats headers or bodies that were sent.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from penstock import __version__, errors
from penstock.errors import Fault
from penstock.model.limits import (
    CONNECT_TIMEOUT_MS,
    IDLE_CONNECTION_MS,
    MAX_OUTBOUND_CONNECTIONS,
    MAX_OUTBOUND_CONNECTIONS_PER_HOST,
    MAX_PROBLEM_BYTES,
    MAX_REDIRECTS,
    MAX_VALUE_BYTES,
    REFUSED_BACKOFF_MS,
)
from penstock.tools.addresses import AddressRefused, GuardedResolver, check_literal
from penstock.tools.http_request import HttpRequest, InvalidRequest, target_of
from penstock.tools.outbound import AddressPolicy, OutboundPolicy

USER_AGENT: Final = f"penstock/{__version__}"
CREDENTIAL_HEADERS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
        "x-csrf-token",
        "x-amz-security-token",
        "private-token",
    }
)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_READ_BYTES: Final = 64 * 1024
Sleep = Callable[[float], Awaitable[None]]


class HttpResponse(msgspec.Struct, frozen=True):
    """What came back. `body` is complete for a success; of an error's body only the first part may be there.

    `request` is the last request sent, after redirects.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request: HttpRequest

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def media_type(self) -> str:
        """The type of the body without parameters, in lower case; "" when the response names none."""
        return (self.header("content-type") or "").split(";", 1)[0].strip().lower()


class HttpClient:
    """Keeps the connections. Made inside a running event loop; `close` ends them.

    `policy` decides which addresses may be called, `sleep` waits between tries of a refused connection, `resolver`
    finds the addresses of names (None: as the system does).
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._policy = policy = OutboundPolicy() if policy is None else policy
        self._sleep = sleep
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(policy, resolver),
                limit=MAX_OUTBOUND_CONNECTIONS,
                limit_per_host=MAX_OUTBOUND_CONNECTIONS_PER_HOST,
                keepalive_timeout=IDLE_CONNECTION_MS / 1000,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_MS / 1000, sock_read=None, connect=None
            ),
            headers={"User-Agent": USER_AGENT},
            skip_auto_headers=("Content-Type",),
            requote_redirect_url=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def exchange(
        self,
        request: HttpRequest,
        *,
        timeout_ms: int,
        redirect: bool = False,
        max_body_bytes: int = MAX_VALUE_BYTES,
    ) -> HttpResponse | Fault:
        """Sends the request, within `timeout_ms` in all.

        A refused connection is tried again (`REFUSED_BACKOFF_MS`). Faults: communication/500 when there is no
        response, timeout/408 when it is late, runtime/500 when it is too large, configuration/400 when the
        policy refuses its address, or that of a redirect; `unknown_outcome` is True
        when the request may have been taken.
        """
        if timeout_ms <= 0:
            return _late(request, timeout_ms)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._follow(request, redirect, max_body_bytes)
        except TimeoutError:
            return _late(request, timeout_ms)

    async def _follow(self, request: HttpRequest, redirect: bool, max_body_bytes: int) -> HttpResponse | Fault:
        response = await self._persist(request, redirect, max_body_bytes)
        for _ in range(MAX_REDIRECTS):
            if isinstance(response, Fault) or not redirect or not _is_redirect(response):
                return response
            following = _next_request(response)
            if isinstance(following, Fault):
                return following
            response = await self._persist(following, redirect, max_body_bytes)
        if isinstance(response, Fault) or not _is_redirect(response):
            return response
        return _communication("Too many redirects", f"{place_of(request)} redirected more than {MAX_REDIRECTS} times")

    async def _persist(self, request: HttpRequest, redirect: bool, max_body_bytes: int) -> HttpResponse | Fault:
        """One request; tried again as long as nobody accepts the connection, so nothing was sent."""
        for pause_ms in (*REFUSED_BACKOFF_MS, None):
            try:
                return await self._send(request, redirect, max_body_bytes)
            except aiohttp.ClientConnectorError as error:
                if error.errno != errno.ECONNREFUSED or pause_ms is None:
                    return _not_connected(request, error)
            except (aiohttp.ClientError, AddressRefused, OSError, RuntimeError, ValueError) as error:
                return _failed(request, error)
            await self._sleep(pause_ms / 1000)
        raise AssertionError("the last try returns")

    async def _send(self, request: HttpRequest, redirect: bool, max_body_bytes: int) -> HttpResponse | Fault:
        url = URL(request.uri, encoded=True)
        literal = check_literal(self._policy, url.raw_host or "", url.port or 0)
        if literal is not None and url.raw_host != str(literal):
            url = url.with_host(str(literal))  # so that nobody reads the host again, and otherwise
        async with self._session.request(
            request.method,
            url,
            headers=CIMultiDict(request.headers),
            data=request.body,
            allow_redirects=False,
        ) as response:
            success = 200 <= response.status < (400 if redirect else 300)
            limit = max_body_bytes if success else MAX_PROBLEM_BYTES
            body = await _read(response, limit)
            if body is None and success:
                return _too_large(request, limit)
            headers = tuple((name, value) for name, value in response.headers.items())
            return HttpResponse(response.status, response.reason or "", headers, body or b"", request)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The decompressed body, None when it is larger than the limit; reads little more than that."""
    if (response.content_length or 0) > limit:
        return None
    parts: list[bytes] = []
    size = 0
    while part := await response.content.read(_READ_BYTES):
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_redirect(response: HttpResponse) -> bool:
    return response.status in _REDIRECTS and response.header("location") is not None


def _next_request(response: HttpResponse) -> HttpRequest | Fault:
    """Where the redirect leads (RFC 9110, section 15.4); credentials do not follow to another origin."""
    sent = response.request
    try:
        target = target_of(urljoin(sent.uri, response.header("location") or ""))
    except (InvalidRequest, ValueError) as error:
        detail = f"{place_of(sent)} redirects to a place that cannot be called: {error}"
        return _communication("Invalid redirect", detail)
    method, body, dropped = sent.method, sent.body, set[str]()
    if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", None
        dropped |= {"content-type", "content-encoding", "content-language", "content-location"}
    if origin_of(target) != origin_of(sent.uri):
        dropped |= CREDENTIAL_HEADERS | {"host"}
    headers = tuple(pair for pair in sent.headers if pair[0].lower() not in dropped)
    return HttpRequest(method, target, headers, body)


def origin_of(uri: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(uri)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.scheme, parts.hostname or "", port)


def place_of(request: HttpRequest) -> str:
    """Host and port for people; no path and no query, which may hold secrets."""
    return urlsplit(request.uri).netloc


def _late(request: HttpRequest, timeout_ms: int) -> Fault:
    detail = f"{place_of(request)} gave no complete answer within {max(timeout_ms, 0)} ms"
    return Fault(errors.TIMEOUT, 408, "Call timed out", detail, unknown_outcome=True)


def _not_connected(request: HttpRequest, error: aiohttp.ClientConnectorError) -> Fault:
    place = place_of(request)
    match error:
        case aiohttp.ClientConnectorDNSError():
            return _communication("Host not found", f"the host of {place} cannot be resolved: {_reason(error)}")
        case aiohttp.ClientConnectorCertificateError():
            return _communication("TLS failed", f"the certificate of {place} is not trusted: {_reason(error)}")
        case aiohttp.ClientConnectorSSLError():
            return _communication("TLS failed", f"no TLS connection to {place}: {_reason(error)}")
        case _:
            return _communication("Not reachable", f"no connection to {place}: {_reason(error)}")


def _failed(request: HttpRequest, error: Exception) -> Fault:
    place = place_of(request)
    match error:
        case AddressRefused():
            return Fault(errors.CONFIGURATION, 400, "Address not allowed", f"{place} must not be called: {error}")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return _communication("TLS failed", f"no TLS connection to {place}: {error}")
        case aiohttp.ConnectionTimeoutError():
            return _communication("Not reachable", f"no connection to {place} within {CONNECT_TIMEOUT_MS} ms")
        case aiohttp.ClientResponseError():
            detail = f"{place} sent an answer that is not HTTP: {str(error.message)[:200]}"
            return _communication("Invalid response", detail, unknown=True)
        case aiohttp.InvalidURL():
            return Fault(errors.CONFIGURATION, 400, "Invalid request", f"the URI of {place} cannot be called")
        case ValueError():
            detail = f"the exchange with {place} failed: {type(error).__name__}"
            return _communication("Invalid response", detail, unknown=True)
        case _:
            detail = f"{place} ended the connection before its answer was complete"
            return _communication("Connection lost", detail, unknown=True)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return str(error.os_error.strerror or error.os_error)[:200]


def _communication(title: str, detail: str, *, unknown: bool = False) -> Fault:
    return Fault(errors.COMMUNICATION, 500, title, detail, unknown_outcome=unknown)


def _too_large(request: HttpRequest, limit: int) -> Fault:
    detail = f"the answer of {place_of(request)} is larger than {limit} bytes, the limit of one value"
    return Fault(errors.RUNTIME, 500, "Response too large", detail)
