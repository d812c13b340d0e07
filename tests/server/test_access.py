"""Without a token only this machine is answered; with one, only who bears it."""

import pytest
from aiohttp import web

from penstock.server.access import require_safe_binding
from penstock.server.refusals import UnsafeBinding
from penstock.server.replies import reply
from penstock.tools.outbound import is_loopback
from tests.server.support import PROBLEM, endpoint, raw_exchange, serving, speaking

TOKEN = "a-token-for-a-test"


async def _yes(request: web.Request) -> web.StreamResponse:
    return reply({})


ENDPOINTS = [endpoint("GET", path, _yes) for path in ("/x", "/healthz", "/readyz", "/metrics")]
LOOPBACK = ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8090", "[::1]:8090", "localhost."]
FOREIGN = ["example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "a@b", ""]
ORIGINS = {
    "http://localhost:3000": 200,
    "http://127.0.0.1": 200,
    "http://[::1]:1": 200,
    "https://example.com": 403,
    "null": 403,
    "http://127.0.0.1.example.com": 403,
    "http://localhost@example.com": 403,
    "::": 403,
}
WRONG = [
    None,
    "",
    TOKEN,
    f"Basic {TOKEN}",
    "Bearer",
    "Bearer wrong",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
]
STATUS_WITHOUT_TOKEN = {"/x": 401, "/metrics": 401, "/unknown": 401, "/healthz": 200, "/readyz": 200}


@pytest.mark.parametrize("host", LOOPBACK)
async def test_loopback_hosts_are_answered(host: str) -> None:
    async with speaking(ENDPOINTS) as client:
        assert (await client.get("/x", headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", FOREIGN)
async def test_other_hosts_are_refused(host: str) -> None:
    async with speaking(ENDPOINTS) as client:
        answer = await client.get("/x", headers={"Host": host})
        assert (answer.status, answer.media) == (403, PROBLEM)


async def test_a_request_without_a_host_is_refused() -> None:
    async with serving(ENDPOINTS) as base:
        answer = await raw_exchange(base, b"GET /x HTTP/1.0\r\n\r\n")
    assert answer.split(b" ")[1] == b"403"


@pytest.mark.parametrize(("origin", "status"), ORIGINS.items())
async def test_pages_of_other_sites_are_refused(origin: str, status: int) -> None:
    async with speaking(ENDPOINTS) as client:
        assert (await client.get("/x", headers={"Origin": origin})).status == status


@pytest.mark.parametrize("header", WRONG)
async def test_without_the_token_nothing_is_told(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with speaking(ENDPOINTS, token=TOKEN) as client:
        for path, status in STATUS_WITHOUT_TOKEN.items():
            answer = await client.get(path, headers=headers)
            assert answer.status == status
            if status == 401:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                assert answer.media == PROBLEM


async def test_with_the_token_any_host_and_origin_is_answered() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "example.com", "Origin": "https://example.com"}
    async with speaking(ENDPOINTS, token=TOKEN) as client:
        assert (await client.get("/x", headers=headers)).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])  # noqa: S104 - must be refused
def test_an_open_address_needs_a_token(host: str) -> None:
    with pytest.raises(UnsafeBinding, match="token"):
        require_safe_binding(host, None)
    require_safe_binding(host, TOKEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    require_safe_binding(host, None)
