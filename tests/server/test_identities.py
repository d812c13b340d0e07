"""Every route that names something answers 404 for what is not there (mission row M103)."""

import pytest

from tests.server.client import Client
from tests.server.support import PROBLEM

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"
IDENTITIES = [
    RANDOM,
    "nope",
    "%00",
    "%2e%2e%2f",
    "%ff",
    "%E2%98%83",
    "x" * 2000,
    "a:b",
    "%7B",
    "-",
    "a%2Fb",
    "%0d%0a",
]
CREATES = frozenset({("PUT", "/api/v1/tools/{name}"), ("PUT", "/api/v1/secrets/{name}")})


@pytest.mark.mission("M103")
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_unknown_and_malformed_identities_are_404(client: Client, identity: str) -> None:
    document = (await client.get("/openapi.json")).body
    checked = 0
    for path, operations in document["paths"].items():
        for method in operations:
            if "{" not in path or (method.upper(), path) in CREATES:
                continue
            body = {"message": "a"} if method in ("post", "put") else ...
            answer = await client.send(method.upper(), _filled(path, identity), body)
            assert answer.status == 404, f"{method} {path}: {answer}"
            assert answer.media == PROBLEM
            checked += 1
    assert checked > 15


def _filled(path: str, identity: str) -> str:
    for name in ("{namespace}", "{name}", "{version}", "{id}", "{workflow}"):
        path = path.replace(name, identity)
    return path


@pytest.mark.parametrize("path", ["/api/v1/inbox", "/v1/event", "/v1/sequence/project"])
async def test_rows_that_are_not_served_say_so(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.media) == (404, PROBLEM)
    assert "not part of this version" in answer.body["detail"]


async def test_odd_paths_are_404(client: Client) -> None:
    for path in (
        "/",
        "//",
        "/api",
        "/api/v1/",
        "/api/v1/runs/",
        "/%00",
        "/..%2f..%2fetc/passwd",
        "/e",
        "/e/",
    ):
        answer = await client.get(path)
        assert answer.status in (404, 405), f"{path}: {answer}"
        assert answer.media == PROBLEM
