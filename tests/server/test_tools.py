"""Tools over HTTP."""

import asyncio

import pytest

from penstock.model.json_value import Json
from tests.server.client import Client, workflow
from tests.server.http_tool import running_http_tool
from tests.server.support import PROBLEM

TOOL = {
    "name": "upper",
    "capability": "shout",
    "transport": {"kind": "http", "endpoint": "http://127.0.0.1:9/upper"},
}


async def test_register_read_replace_forget(client: Client) -> None:
    created = await client.post("/api/v1/tools", TOOL)
    assert created.status == 201
    assert {name: created.body[name] for name in ("name", "capability")} == {"name": "upper", "capability": "shout"}
    assert TOOL["transport"].items() <= created.body["transport"].items()
    assert (await client.post("/api/v1/tools", TOOL)).status == 200
    assert (await client.post("/api/v1/tools", {**TOOL, "capability": "other"})).status == 409
    assert (await client.get("/api/v1/tools/upper")).body["capability"] == "shout"
    replaced = await client.send("PUT", "/api/v1/tools/upper", {**TOOL, "capability": "other"})
    assert (replaced.status, replaced.body["capability"]) == (200, "other")
    assert [tool["name"] for tool in (await client.get("/api/v1/tools")).body["items"]] == ["upper"]
    assert (await client.get("/api/v1/capabilities")).body["items"] == [{"name": "other", "tools": ["upper"]}]
    assert (await client.send("DELETE", "/api/v1/tools/upper")).status == 204
    assert (await client.get("/api/v1/tools/upper")).status == 404
    assert (await client.send("PUT", "/api/v1/tools/upper", TOOL)).status == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": 5}, "/name"),
        ({"name": "a b"}, "/name"),
        ({"capability": ""}, "/capability"),
        ({"transport": {"kind": "pigeon"}}, "/transport"),
        ({"transport": {"kind": "http"}}, "/transport"),
        ({"transport": {"kind": "http", "endpoint": "ftp://x"}}, "/transport/endpoint"),
        ({"weight": "x"}, "/weight"),
    ],
)
async def test_a_wrong_tool_is_422_naming_the_member(client: Client, change: Json, pointer: str) -> None:
    answer = await client.post("/api/v1/tools", {**TOOL, **change})
    assert (answer.status, answer.media) == (422, PROBLEM)
    assert answer.body["errors"][0]["pointer"].startswith(pointer)


async def test_of_two_tools_of_one_name_that_come_at_once_one_is_first(client: Client) -> None:
    tools = [{**TOOL, "name": "raced", "capability": f"capability{n}"} for n in range(20)]
    answers = await asyncio.gather(*(client.post("/api/v1/tools", tool) for tool in tools))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19


async def test_the_name_in_a_path_is_the_name_in_the_body(client: Client) -> None:
    answer = await client.send("PUT", "/api/v1/tools/one", {**TOOL, "name": "other"})
    assert (answer.status, answer.media) == (400, "application/problem+json")
    assert "'one'" in answer.body["detail"]
    assert (await client.get("/api/v1/tools/one")).status == 404


async def test_a_capability_is_called_by_name(client: Client) -> None:
    async with running_http_tool() as tool:
        transport = {"kind": "http", "endpoint": f"{tool.base_url}/shout"}
        assert (await client.post("/api/v1/tools", {**TOOL, "transport": transport})).status == 201
        assert (
            await client.deploy(workflow("shouts", [{"it": {"call": "shout", "with": {"text": "a"}}}]))
        ).status == 201
        run = (await client.post("/api/v1/workflows/tests/shouts/runs?wait=20", {})).body
    assert (run["status"], run["output"]) == ("completed", {"shout": {"text": "a"}})
