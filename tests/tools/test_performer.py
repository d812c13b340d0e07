"""The performer: each kind of call, masking of faults, and that no exception leaves it."""

import pytest

from penstock.errors import COMMUNICATION, CONFIGURATION, RUNTIME, Fault
from penstock.kernel.commands import CallKind, Invoke
from penstock.kernel.values import EMPTY_OBJECT, Value
from penstock.model.json_value import Json
from penstock.tools.contract import CallContext, HttpTransport, Outcome, Performer, ToolDefinition
from penstock.tools.performer import HttpTools


class Directory:
    def __init__(self) -> None:
        self.tools: dict[str, ToolDefinition] = {}

    async def tool_for(self, capability: str, context: CallContext) -> ToolDefinition | None:
        if capability == "broken":
            raise KeyError(capability)
        return self.tools.get(capability)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def perform(client, directory, context):
    performer: Performer = HttpTools(client, directory)

    async def performed(kind: CallKind, arguments: Json, deadline_at: int = 1_010_000) -> Outcome:
        invoke = Invoke("call-1", 1, "/do/0/a", kind, EMPTY_OBJECT, deadline_at=deadline_at)
        return await performer.perform(invoke, arguments, context)

    return performed


def fault_of(outcome: Outcome) -> Fault:
    assert isinstance(outcome, Fault), outcome
    return outcome


@pytest.mark.parametrize("deadline_at", [1_010_000, 0])
async def test_http(perform, service, deadline_at):
    uri = service.on("/a", text="ok")
    assert await perform("http", {"method": "get", "uri": uri}, deadline_at) == Value("ok")


async def test_openapi(perform, service, context):
    service.on("/v1/pets/7", text='{"id":7}', content_type="application/json")
    uri = service.base + "/openapi.json"
    get = {"operationId": "get", "parameters": [{"name": "id", "in": "path", "required": True, "schema": {}}]}
    context.resources[uri] = {
        "openapi": "3.0.3",
        "servers": [{"url": "/v1"}],
        "paths": {"/pets/{id}": {"get": get}},
    }
    arguments = {"document": uri, "operationId": "get", "parameters": {"id": 7}}
    assert await perform("openapi", arguments) == Value({"id": 7})
    full = await perform("openapi", {**arguments, "output": "response", "authentication": {"bearer": {"token": "t"}}})
    assert isinstance(full, Value)
    assert full.data["statusCode"] == 200
    assert service.seen[1].headers["Authorization"] == "Bearer t"
    assert service.seen[1].headers["Idempotency-Key"] == "call-1"
    assert fault_of(await perform("openapi", {**arguments, "operationId": "put"})).type == CONFIGURATION


async def test_openapi_without_its_document(perform):
    fault = fault_of(await perform("openapi", {"document": "http://x/y", "operationId": "a"}))
    assert (fault.type, fault.title) == (CONFIGURATION, "Document not available")


async def test_capability(perform, service, directory):
    directory.tools["shout"] = ToolDefinition("upper", "shout", HttpTransport(service.on("/e", text='"A"')))
    assert await perform("capability", {"name": "shout", "input": "a"}) == Value("A")
    assert service.seen[0].body == b'"a"'


async def test_a_capability_that_nobody_provides(perform):
    fault = fault_of(await perform("capability", {"name": "shout", "input": 1}))
    assert (fault.type, fault.status) == (CONFIGURATION, 400)
    assert "'shout'" in fault.detail


async def test_an_exception_becomes_a_fault_that_repeats_nothing(perform):
    fault = fault_of(await perform("capability", {"name": "broken", "input": "s3cret"}))
    assert (fault.type, fault.status, fault.unknown_outcome) == (RUNTIME, 500, True)
    assert "KeyError" in fault.detail
    assert "broken" not in fault.detail


@pytest.mark.parametrize("arguments", [None, [], "x", {}])
@pytest.mark.parametrize("kind", ["http", "openapi", "capability"])
async def test_arguments_that_are_none(perform, kind, arguments):
    assert fault_of(await perform(kind, arguments)).type == CONFIGURATION


async def test_rendered_secrets_in_a_fault_are_masked(perform, service, context):
    context.rendered = ("s3cret",)
    problem = '{"title": "no s3cret", "detail": "s3cret!", "list": [{"s3cret": "is s3cret"}]}'
    uri = service.on("/a", status=400, text=problem, content_type="application/problem+json")
    fault = fault_of(await perform("http", {"method": "get", "uri": uri}))
    assert (fault.type, fault.title, fault.detail) == (COMMUNICATION, "no ***", "***!")
    assert fault.extra == {"list": [{"***": "is ***"}]}
    invalid = fault_of(await perform("http", {"method": "get", "uri": "s3cret://host/"}))
    assert "s3cret" not in str(invalid)
    unknown = fault_of(await perform("http", {"method": "get", "uri": "http://s3cret.invalid/"}))
    assert "s3cret" not in str(unknown)
