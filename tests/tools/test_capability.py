"""Tools over HTTP behave like machinery services: JSON out, JSON back, every failure named."""

import asyncio
import json
import socket

import msgspec
import pytest
from aiohttp import web

from penstock.errors import COMMUNICATION, TIMEOUT, Fault
from penstock.kernel.values import Value
from penstock.model.limits import MAX_VALUE_BYTES
from penstock.tools.capability import perform_capability
from penstock.tools.contract import HttpTransport, Outcome, ToolDefinition


@pytest.fixture
def call(client, context, service):
    async def perform(path="/event", given=None, *, uri="", timeout_ms=0, **transport) -> Outcome:
        made = HttpTransport(uri or service.base + path, **transport)
        tool = ToolDefinition("upper", "upper", made, timeout_ms=timeout_ms)
        return await perform_capability(client, tool, given, context, call_id="call-3", deadline_at=1_010_000)

    return perform


def fault_of(outcome: Outcome) -> Fault:
    assert isinstance(outcome, Fault), outcome
    assert "service 'upper'" in outcome.detail
    return outcome


@pytest.mark.parametrize("given", [{"message": "ü"}, [1], "text", None, 5])
async def test_the_input_goes_out_as_json_and_the_answer_is_the_output(call, service, given):
    async def shout(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps({"got": await request.json()}))  # as text/plain, like old services

    service.on("/event", shout)
    assert await call(given=given) == Value({"got": given})
    (seen,) = service.seen
    assert seen.method == "POST"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Idempotency-Key"] == "call-3"


async def test_method_and_headers_of_the_transport(call, service):
    service.on("/event", text="1")
    assert await call(method="PUT", headers={"X-Team": "a", "Accept": "application/vnd.a+json"}) == Value(1)
    (seen,) = service.seen
    assert (seen.method, seen.headers["X-Team"], seen.headers["Accept"]) == (
        "PUT",
        "a",
        "application/vnd.a+json",
    )


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
async def test_an_error_status_names_the_service(call, service, status):
    service.on("/event", status=status)
    fault = fault_of(await call())
    assert (fault.type, fault.status, fault.unknown_outcome) == (COMMUNICATION, status, False)
    assert fault.detail.startswith(f"service 'upper' answered {status} ")


@pytest.mark.parametrize("member", ["detail", "message", "error"])
async def test_what_the_service_says_about_it_is_repeated(call, service, member):
    service.on("/event", status=500, text=json.dumps({member: "boom"}), content_type="application/json")
    assert fault_of(await call()).detail == "service 'upper' answered 500 Internal Server Error: boom"


@pytest.mark.parametrize("text", ["", "<html>", "{", "NaN"])
async def test_an_answer_that_is_not_json(call, service, text):
    service.on("/event", text=text)
    fault = fault_of(await call())
    assert (fault.type, fault.title) == (COMMUNICATION, "Invalid response")


async def test_no_content_is_null(call, service):
    service.on("/event", status=204)
    assert await call() == Value(None)
    assert fault_of(await call(answer="object")).type == COMMUNICATION


@pytest.mark.parametrize("text", ["[1,2]", "1", "null"])
async def test_only_objects_where_objects_are_asked_for(call, service, text):
    service.on("/event", text=text)
    assert await call() == Value(json.loads(text))
    assert "not an object" in fault_of(await call(answer="object")).detail


async def test_an_unreachable_service(call):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fault = fault_of(await call(uri=f"http://127.0.0.1:{port}/"))
    assert (fault.type, fault.title) == (COMMUNICATION, "Not reachable")


async def test_an_endpoint_that_cannot_be_called(call):
    assert "ftp" in fault_of(await call(uri="ftp://x/")).detail


async def test_an_answer_that_is_too_large(call, service):
    service.on("/event", text=json.dumps("x" * MAX_VALUE_BYTES))
    assert fault_of(await call()).title == "Response too large"


async def test_the_timeout_of_the_tool_is_kept(call, service):
    never = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    service.on("/event", hang)
    fault = fault_of(await call(timeout_ms=50))
    never.set()
    assert (fault.type, fault.status, fault.unknown_outcome) == (TIMEOUT, 408, True)
    assert "50 ms" in fault.detail


async def test_an_input_that_is_too_large_is_not_sent(call, service):
    fault = fault_of(await call(given="x" * MAX_VALUE_BYTES))
    assert "larger than" in fault.detail
    assert service.seen == []


def test_a_definition_survives_its_stored_form():
    tool = ToolDefinition("a", "b", HttpTransport("http://h/", answer="object"), weight=3)
    stored = msgspec.json.encode(tool)
    assert json.loads(stored)["transport"]["kind"] == "http"
    assert msgspec.json.decode(stored, type=ToolDefinition) == tool
