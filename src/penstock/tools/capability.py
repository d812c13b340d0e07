"""`call: CAPABILITY` by a tool over HTTP: the input goes out as JSON, the JSON that comes back is the output.

This is how a machinery service behaves (docs/machinery.md). Every fault names the service.
"""

from typing import assert_never, cast

import msgspec

from penstock import errors
from penstock.errors import Fault
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_FAULT_TEXT, MAX_VALUE_BYTES
from penstock.tools.contract import CallContext, HttpTransport, Outcome, PullTransport, PushTransport, ToolDefinition
from penstock.tools.http import IDEMPOTENCY_KEY
from penstock.tools.http_client import HttpClient, HttpResponse
from penstock.tools.http_output import fault_of_status, json_of, sized
from penstock.tools.http_request import HttpRequest, InvalidRequest, header_pairs, target_of


async def perform_capability(
    client: HttpClient,
    tool: ToolDefinition,
    given: Json,
    context: CallContext,
    *,
    call_id: str,
    deadline_at: int,
) -> Outcome:
    """Calls the tool with the input `given`. A status outside 200–299, an answer that is not JSON (or not the
    object that the transport asks for) and an unreachable service are communication faults."""
    now = context.now_ms()
    due_at = min(deadline_at, now + tool.timeout_ms) if tool.timeout_ms else deadline_at
    match transport := tool.transport:
        case HttpTransport():
            request = _request(transport, given, call_id)
        case PushTransport() | PullTransport():
            detail = f"the tool {tool.name!r} takes work by event: it is offered, and not called"
            return Fault(errors.RUNTIME, 500, "Call failed", detail)
        case _ as unreachable:
            assert_never(unreachable)
    if isinstance(request, Fault):
        return _named(tool, request)
    response = await client.exchange(request, timeout_ms=due_at - now)
    if isinstance(response, Fault):
        return _named(tool, response)
    if not 200 <= response.status < 300:
        return _refused(tool, response)
    return _answer(tool, transport, response)


def _request(transport: HttpTransport, given: Json, call_id: str) -> HttpRequest | Fault:
    try:
        target = target_of(transport.endpoint)
        headers = header_pairs(transport.headers)
    except InvalidRequest as error:
        return Fault(errors.CONFIGURATION, 400, "Invalid tool", str(error))
    body = msgspec.json.encode(given)
    if len(body) > MAX_VALUE_BYTES:
        detail = f"the input is larger than {MAX_VALUE_BYTES} bytes"
        return Fault(errors.CONFIGURATION, 400, "Invalid request", detail)
    request = HttpRequest(transport.method, target, headers, body)
    return (
        request.with_header("Content-Type", "application/json")
        .with_default("Accept", "application/json")
        .with_header(IDEMPOTENCY_KEY, call_id)
    )


def _answer(tool: ToolDefinition, transport: HttpTransport, response: HttpResponse) -> Outcome:
    outcome = Value(None) if response.status == 204 else json_of(response)
    if isinstance(outcome, Fault):
        return _named(tool, outcome)
    data = outcome.data
    if transport.answer == "object" and not isinstance(data, dict):
        detail = f"service {tool.name!r} answered {response.status} with JSON that is not an object"
        return Fault(errors.COMMUNICATION, 500, "Invalid response", detail)
    answered = sized(data, response)
    return _named(tool, answered) if isinstance(answered, Fault) else answered


def _refused(tool: ToolDefinition, response: HttpResponse) -> Fault:
    fault = fault_of_status(response)
    said = _message_of(response)
    detail = f"service {tool.name!r} answered {response.status} {response.reason}".rstrip() + (
        f": {said}" if said else ""
    )
    return msgspec.structs.replace(fault, detail=detail[:MAX_FAULT_TEXT])


def _message_of(response: HttpResponse) -> str:
    """What the service says about its error: `detail`, `message` or `error` of a JSON object."""
    outcome = json_of(response)
    data: Json = None if isinstance(outcome, Fault) else outcome.data
    if not isinstance(data, dict):
        return ""
    members = cast("dict[str, Json]", data)
    texts = [members[name] for name in ("detail", "message", "error") if isinstance(members.get(name), str)]
    return next((text for text in texts if text), "")


def _named(tool: ToolDefinition, fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, detail=f"service {tool.name!r}: {fault.detail}"[:MAX_FAULT_TEXT])
