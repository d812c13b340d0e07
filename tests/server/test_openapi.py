"""The interface describes itself, and a change of it is a visible line."""

import json
import os
import re
from pathlib import Path

import jsonschema_rs
import pytest

from penstock.model.json_value import Json
from tests.server.client import Client, workflow

GOLDEN = Path(__file__).parent / "golden" / "openapi.json"
"""Written anew by `PENSTOCK_WRITE_GOLDEN=1 pytest tests/server/test_openapi.py`."""


@pytest.fixture
async def document(client: Client) -> Json:
    answer = await client.get("/openapi.json")
    assert (answer.status, answer.media) == (200, "application/json")
    return answer.body


async def test_it_is_the_golden_document(document: Json) -> None:
    if os.environ.get("PENSTOCK_WRITE_GOLDEN") == "1":
        GOLDEN.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf8")
    assert document == json.loads(GOLDEN.read_text("utf8"))


async def test_it_holds_together(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    seen: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert method in {"get", "post", "put", "delete"}
            seen.append(operation["operationId"])
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path)), path
            assert operation["responses"]
            assert operation["summary"]
    assert len(seen) == len(set(seen))


async def test_every_reference_leads_somewhere_and_every_schema_is_one(document: Json) -> None:
    text = json.dumps(document)
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= document["components"]["schemas"].keys()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


async def test_it_names_every_member_of_a_task_and_a_tool(client: Client, document: Json) -> None:
    schemas = document["components"]["schemas"]
    await client.deploy(workflow("told", [{"call": {"call": "nobody"}}]))
    run = (await client.post("/api/v1/workflows/tests/told/runs", {})).body
    async for _, event in client.frames(f"/api/v1/runs/{run['id']}/stream"):
        if event["type"].endswith("task.started.v1"):
            break
    (task,) = (await client.get(f"/api/v1/runs/{run['id']}")).body["tasks"]
    assert task.keys() <= schemas["TaskRun"]["properties"].keys()
    transport = {"kind": "http", "endpoint": "http://127.0.0.1:9/"}
    options = {"stage": "dev", "weight": 2, "timeout": {"seconds": 1}, "metadata": {"a": 1}}
    tool = (await client.post("/api/v1/tools", {"name": "told", "transport": transport, **options})).body
    assert tool.keys() <= schemas["Tool"]["properties"].keys()


async def test_every_path_of_the_contract_is_there(document: Json) -> None:
    wanted = [
        "/healthz",
        "/readyz",
        "/version",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/api/v1/workflows",
        "/api/v1/workflows:check",
        "/api/v1/workflows/{namespace}/{name}",
        "/api/v1/workflows/{namespace}/{name}/{version}",
        "/api/v1/workflows/{namespace}/{name}/runs",
        "/api/v1/runs",
        "/api/v1/runs:prune",
        "/api/v1/runs/{id}",
        "/api/v1/runs/{id}/tasks",
        "/api/v1/runs/{id}/history",
        "/api/v1/runs/{id}/state",
        "/api/v1/runs/{id}/stream",
        "/api/v1/runs/{id}/why",
        "/api/v1/runs/{id}:cancel",
        "/api/v1/runs/{id}:suspend",
        "/api/v1/runs/{id}:resume",
        "/api/v1/runs/{id}:retry",
        "/api/v1/events",
        "/api/v1/events/stream",
        "/api/v1/events/{source}/{id}/matches",
        "/api/v1/events/{source}/{id}:resend",
        "/api/v1/tools",
        "/api/v1/tools/{name}",
        "/api/v1/capabilities",
        "/api/v1/secrets",
        "/api/v1/secrets/{name}",
        "/api/v1/tokens",
        "/api/v1/tools/{name}/work",
        "/api/v1/tools/{name}/stream",
        "/api/v1/tools/{name}/work/{id}:renew",
        "/api/v1/tools/{name}/work/{id}:return",
        "/api/v1/tools/{name}/letters",
        "/api/v1/tools/{name}:redeliver",
        "/api/v1/tokens/{id}",
        "/api/v1/nodes",
        "/s",
        "/w",
        "/e/{workflow}",
        "/healthcheck",
        "/s/{id}",
        "/w/{id}",
    ]
    assert set(wanted) == document["paths"].keys()
