"""The machinery surface beyond its conformance cases: receipts, versions, failures, self-description."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from penstock.model.json_value import Json
from tests.server.client import Client
from tests.server.http_tool import HttpTool, running_http_tool
from tests.server.support import PROBLEM

INPUT = [{"name": "message", "type": "string", "description": "a text"}]


@pytest.fixture
async def tool() -> AsyncIterator[HttpTool]:
    async with running_http_tool() as running:
        yield running


async def registered(client: Client, tool: HttpTool, name: str, *services: str, inputs: Json = ()) -> str:
    """The id of a new workflow over services of the tool."""
    for service in services:
        answer = await client.post("/s", {"name": service, "address": f"{tool.base_url}/{service}"})
        assert answer.status == 201, answer
    stored = await client.post("/w", {"name": name, "services": list(services), "inputs": list(inputs)})
    assert stored.status == 201, stored
    return stored.body["workflow_id"]


async def test_services_are_called_in_order_with_the_outputs_so_far(client: Client, tool: HttpTool) -> None:
    workflow_id = await registered(client, tool, "chain", "one", "two", "one")
    answer = await client.post(f"/e/{workflow_id}", {"message": "m"})
    assert answer.status == 201, answer
    first = {"message": "m"}
    assert tool.received[:2] == [("one", first), ("two", {"one": first})]
    assert answer.body == {"one": {"one": first, "two": {"one": first}}, "two": {"one": first}}
    run = (await client.get(f"/api/v1/runs/{answer.headers['Penstock-Run']}")).body
    assert (run["status"], run["output"]) == ("completed", answer.body)


@pytest.mark.parametrize(("query", "headers"), [("?async=true", {}), ("", {"Prefer": "respond-async, wait=10"})])
async def test_a_receipt_comes_before_the_work_is_done(
    client: Client, tool: HttpTool, query: str, headers: dict[str, str]
) -> None:
    workflow_id = await registered(client, tool, "later", "slow")
    tool.released.clear()
    answer = await client.post(f"/e/{workflow_id}{query}", {"message": "m"}, headers=headers)
    assert answer.status == 202
    assert {"event_id", "ack_date", "status"} <= answer.body.keys()
    await tool.called.wait()
    tool.released.set()
    run = await client.until_ended(answer.headers["Penstock-Run"])
    assert run["output"] == {"slow": {"message": "m"}}


async def test_a_workflow_is_found_by_name_too_whatever_its_name(client: Client, tool: HttpTool) -> None:
    await registered(client, tool, "Été & été", "one")
    answer = await client.post("/e/%C3%89t%C3%A9%20%26%20%C3%A9t%C3%A9", {})
    assert answer.status == 201, answer
    await registered(client, tool, "0123456789abcdef01234567", "one")
    assert (await client.post("/e/0123456789abcdef01234567", {})).status == 201


async def test_other_content_is_the_next_patch_version_and_the_same_is_none(client: Client, tool: HttpTool) -> None:
    ids = [await registered(client, tool, "grows", *services) for services in (("a",), ("a",), ("a", "b"), ("a",))]
    assert len(set(ids)) == 1
    listed = (await client.get("/api/v1/workflows?namespace=machinery")).body["items"]
    assert sorted(item["version"] for item in listed) == ["1.0.0", "1.0.1", "1.0.2"]
    assert (await client.get(f"/w/{ids[0]}")).body["version"] == "1.0.2"


@pytest.mark.mission("M101")
async def test_definitions_are_given_back_with_their_creation_time(client: Client, tool: HttpTool) -> None:
    workflow_id = await registered(client, tool, "kept", "one", inputs=INPUT)
    workflow = (await client.get(f"/w/{workflow_id}")).body
    assert (workflow["name"], workflow["services"], workflow["inputs"]) == ("kept", ["one"], INPUT)
    [service] = (await client.get("/s")).body["items"]
    assert (service["name"], service["address"]) == ("one", f"{tool.base_url}/one")
    assert (await client.get(f"/s/{service['service_id']}")).body == service
    for created_at in (workflow["created_at"], service["created_at"]):
        assert created_at.endswith("Z")


async def test_a_missing_input_is_422_and_nothing_is_called(client: Client, tool: HttpTool) -> None:
    workflow_id = await registered(client, tool, "strict", "one", inputs=INPUT)
    for event in ({}, {"data": {}}, {"Message": "m"}):
        answer = await client.post(f"/e/{workflow_id}", event)
        assert answer.status == 422
        assert "message" in answer.body["message"]
        assert answer.body["missing"] == ["message"]
    assert tool.received == []


async def test_the_envelope_is_taken_off_unless_an_input_is_called_data(client: Client, tool: HttpTool) -> None:
    plain = await registered(client, tool, "plain", "one")
    named = await registered(client, tool, "named", "one", inputs=[{"name": "data", "type": "object"}])
    body = {"data": {"message": "m"}}
    assert (await client.post(f"/e/{plain}", body)).body == {"one": {"message": "m"}}
    assert (await client.post(f"/e/{named}", body)).body == {"one": body}
    both = {**body, "more": 1}
    assert (await client.post(f"/e/{plain}", both)).body == {"one": both}


async def test_a_failing_service_is_502_and_named(client: Client, tool: HttpTool) -> None:
    workflow_id = await registered(client, tool, "fails", "first", "second")
    tool.status = 500
    answer = await client.post(f"/e/{workflow_id}", {"message": "m"})
    assert (answer.status, answer.media) == (502, PROBLEM)
    assert "'first'" in answer.body["message"]
    assert answer.body["service"] == "first"
    assert [name for name, _ in tool.received] == ["first"]
    run = (await client.get(f"/api/v1/runs/{answer.headers['Penstock-Run']}")).body
    assert run["status"] == "faulted"


async def test_an_idempotency_key_makes_one_run(client: Client, tool: HttpTool) -> None:
    workflow_id = await registered(client, tool, "once", "one")
    headers = {"Idempotency-Key": "key-1"}
    answers = [await client.post(f"/e/{workflow_id}", {"n": 1}, headers=headers) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert answers[0].headers["Penstock-Run"] == answers[1].headers["Penstock-Run"]
    assert len(tool.received) == 1
    assert (await client.post(f"/e/{workflow_id}", {"n": 2}, headers=headers)).status == 409


async def test_unregistered_services_are_said_by_name(client: Client, tool: HttpTool) -> None:
    await registered(client, tool, "some", "one")
    answer = await client.post("/w", {"name": "more", "services": ["one", "two", "three", "two"]})
    assert answer.status == 409
    assert answer.body == {"message": "not all services exist", "missing": ["two", "three"]}
    assert (await client.post("/e/more", {})).status == 404


@pytest.mark.parametrize("body", [[], "text", 1, True])
async def test_an_event_that_is_no_object_is_400(client: Client, tool: HttpTool, body: Json) -> None:
    workflow_id = await registered(client, tool, "objects", "one")
    answer = await client.post(f"/e/{workflow_id}", body)
    assert answer.status == 400
    assert answer.body["message"]


async def test_another_workflow_of_the_namespace_takes_no_events(client: Client) -> None:
    document = {"dsl": "1.0.3", "namespace": "machinery", "name": "foreign", "version": "1.0.0"}
    assert (await client.deploy({"document": document, "do": [{"nothing": {"set": {"done": True}}}]})).status == 201
    assert (await client.post("/e/foreign", {})).status == 404
    assert (await client.get("/w")).body["items"] == []


@pytest.mark.parametrize("metadata", ["text", [], {"definition": 5}, {"definition": {"name": "x"}}, {"name": 5}])
async def test_metadata_that_looks_like_a_definition_and_is_none_does_no_harm(client: Client, metadata: Json) -> None:
    document = {"dsl": "1.0.3", "namespace": "machinery", "name": "foreign", "version": "1.0.0"}
    given = {"document": {**document, "metadata": {"machinery": metadata}}, "do": [{"a": {"set": {"b": 1}}}]}
    assert (await client.deploy(given)).status == 201
    transport = {"kind": "http", "endpoint": "http://127.0.0.1:9/"}
    tool = {"name": "foreign", "transport": transport, "metadata": {"machinery": metadata}}
    assert (await client.post("/api/v1/tools", tool)).status == 201
    for path in ("/s", "/w"):
        assert (await client.get(path)).body["items"] == []
    assert (await client.post("/e/foreign", {})).status == 404


@asynccontextmanager
async def describing_service() -> AsyncIterator[str]:
    """A service that describes itself under /infos."""
    base = ""

    async def infos(request: web.Request) -> web.Response:
        return web.json_response({"name": "upper", "address": f"{base}/event", "inputs": INPUT, "outputs": INPUT})

    async def event(request: web.Request) -> web.Response:
        return web.json_response({"message": (await request.json())["message"].upper()})

    app = web.Application()
    app.router.add_get("/infos", infos)
    app.router.add_post("/event", event)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield base
    finally:
        await runner.cleanup()


@pytest.mark.mission("M111")
async def test_a_service_is_registered_straight_from_its_own_description(client: Client) -> None:
    async with describing_service() as base:
        described = await Client(base, client._session).get("/infos")
        assert (await client.post("/s", described.body)).status == 201
        stored = await client.post("/w", {"name": "shout", "services": ["upper"]})
        answer = await client.post(f"/e/{stored.body['workflow_id']}", {"message": "a b"})
    assert (answer.status, answer.body) == (201, {"message": "A B"})
