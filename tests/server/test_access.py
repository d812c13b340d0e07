"""Without a token only this machine is answered; with one, only who bears it."""

import aiohttp
import pytest
from aiohttp import web

from penstock.server.access import is_loopback, require_safe_binding
from penstock.server.refusals import UnsafeBinding
from penstock.server.replies import reply
from tests.server.support import PROBLEM, endpoint, raw_exchange, serving

TOKEN = "a-token-for-a-test"


async def _yes(request: web.Request) -> web.StreamResponse:
    return reply({})


ENDPOINTS = [endpoint("GET", path, _yes) for path in ("/x", "/healthz", "/readyz", "/metrics")]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8090", "[::1]:8090", "localhost."])
async def test_loopback_hosts_are_answered(host: str) -> None:
    async with serving(ENDPOINTS) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x", headers={"Host": host}) as response:
            assert response.status == 200


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "a@b", ""])
async def test_other_hosts_are_refused(host: str) -> None:
    async with serving(ENDPOINTS) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x", headers={"Host": host}) as response:
            assert (response.status, response.content_type) == (403, PROBLEM)


async def test_a_request_without_a_host_is_refused() -> None:
    async with serving(ENDPOINTS) as base:
        answer = await raw_exchange(base, b"GET /x HTTP/1.0\r\n\r\n")
    assert answer.split(b" ")[1] in (b"403", b"400")


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:3000", 200), ("http://127.0.0.1", 200), ("http://[::1]:1", 200), ("https://example.com", 403),
     ("null", 403), ("http://127.0.0.1.example.com", 403), ("http://localhost@example.com", 403), ("::", 403)],
)  # fmt: skip
async def test_pages_of_other_sites_are_refused(origin: str, status: int) -> None:
    async with serving(ENDPOINTS) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x", headers={"Origin": origin}) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "header", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
async def test_without_the_token_nothing_is_told(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with serving(ENDPOINTS, token=TOKEN) as base, aiohttp.ClientSession() as client:
        for path, status in (("/x", 401), ("/metrics", 401), ("/unknown", 401), ("/healthz", 200), ("/readyz", 200)):
            async with client.get(base + path, headers=headers) as response:
                assert response.status == status
                if status == 401:
                    assert response.headers["WWW-Authenticate"].startswith("Bearer")
                    assert response.content_type == PROBLEM


async def test_with_the_token_any_host_and_origin_is_answered() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "example.com", "Origin": "https://example.com"}
    async with serving(ENDPOINTS, token=TOKEN) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x", headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])  # noqa: S104 - must be refused
def test_an_open_address_needs_a_token(host: str) -> None:
    with pytest.raises(UnsafeBinding, match="token"):
        require_safe_binding(host, None)
    require_safe_binding(host, TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    require_safe_binding(host, None)
