"""Every route that names something answers 404 for what is not there, never 500 (mission row M103)."""

from uuid import UUID

import pytest

from .support.client import Api

RANDOM_ID = str(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
IDENTITIES = {
    "random": RANDOM_ID,
    "malformed": "nope",
    "escaped": "%00%2e%2e%2f%ff",
    "unicode": "%E2%98%83",
    "long": "x" * 2000,
}
ROUTES = (
    ("GET", "/api/v1/workflows/{id}/{id}"),
    ("GET", "/api/v1/workflows/{id}/{id}/1.0.0"),
    ("GET", "/api/v1/workflows/{id}/{id}/{id}"),
    ("DELETE", "/api/v1/workflows/{id}/{id}/1.0.0"),
    ("POST", "/api/v1/workflows/{id}/{id}/runs"),
    ("GET", "/api/v1/runs/{id}"),
    ("GET", "/api/v1/runs/{id}/tasks"),
    ("GET", "/api/v1/runs/{id}/history"),
    ("GET", "/api/v1/runs/{id}/state?seq=0"),
    ("GET", "/api/v1/runs/{id}/stream"),
    ("POST", "/api/v1/runs/{id}:cancel"),
    ("POST", "/api/v1/runs/{id}:suspend"),
    ("POST", "/api/v1/runs/{id}:resume"),
    ("POST", "/api/v1/runs/{id}:retry"),
    ("GET", "/api/v1/tools/{id}"),
    ("DELETE", "/api/v1/tools/{id}"),
    ("GET", "/api/v1/tools/{id}/work?wait=0&max=1"),
    ("GET", "/api/v1/tools/{id}/stream"),
    ("DELETE", "/api/v1/secrets/{id}"),
    ("POST", "/api/v1/inbox/{id}:claim"),
    ("POST", "/api/v1/inbox/{id}:release"),
    ("POST", "/api/v1/inbox/{id}:complete"),
    ("POST", "/callbacks/{id}"),
    ("POST", "/w/{id}"),
    ("POST", "/e/{id}"),
    ("GET", "/v1/sequence/{id}"),
    ("POST", "/v1/sequence/{id}/{id}/control"),
)
BODY_METHODS = frozenset({"POST", "PUT"})


@pytest.mark.mission("M103")
@pytest.mark.parametrize("kind", IDENTITIES)
async def test_unknown_identity_is_not_found(kind: str, api: Api) -> None:
    wrong: list[str] = []
    for method, template in ROUTES:
        path = template.replace("{id}", IDENTITIES[kind])
        body = {"message": "a"} if method in BODY_METHODS else None
        answer = await (api.request(method, path) if body is None else api.send_json(method, path, body))
        if answer.status != 404:
            wrong.append(f"{method} {template}: expected 404, actual {answer.status} {answer.text[:300]}")
        elif answer.media != "application/problem+json":
            wrong.append(f"{method} {template}: expected problem details, actual {answer.media!r}")
        elif template.startswith("/e/") and not answer.body.get("message"):
            wrong.append(f"{method} {template}: expected a message, actual {answer.text[:300]}")
    assert not wrong, f"{kind} identity:\n  " + "\n  ".join(wrong)
