"""`call: http`: builds the request, adds the key and the credentials, sends it, and reads the answer."""

from typing import cast

from penstock import errors
from penstock.errors import Fault
from penstock.model.json_value import Json
from penstock.model.limits import MIN_MASKED_CHARACTERS
from penstock.tools.authentication import Authorization, authorization_of
from penstock.tools.contract import CallContext, Outcome
from penstock.tools.http_client import HttpClient
from penstock.tools.http_output import MASKED, output_of
from penstock.tools.http_request import HttpRequest, build_request
from penstock.tools.masked_fault import masked

IDEMPOTENCY_KEY = "Idempotency-Key"


async def perform_http(
    client: HttpClient, arguments: Json, context: CallContext, *, call_id: str, deadline_at: int
) -> Outcome:
    """Performs the `http` arguments of `Invoke`. `deadline_at` is in milliseconds UTC."""
    if not isinstance(arguments, dict):
        return Fault(errors.CONFIGURATION, 400, "Invalid request", "the call has no arguments")
    given = cast("dict[str, Json]", arguments)
    request = build_request(given)
    if isinstance(request, Fault):
        return request
    return await send(client, request, given, context, call_id=call_id, deadline_at=deadline_at)


async def send(
    client: HttpClient,
    request: HttpRequest,
    given: dict[str, Json],
    context: CallContext,
    *,
    call_id: str,
    deadline_at: int,
) -> Outcome:
    """Sends a request that is built, with `authentication`, `redirect` and `output` of the arguments.

    An `Idempotency-Key` that the author wrote stays; else the call's id is the key.
    """
    authorization = _authorization_of(given.get("authentication"), context)
    if isinstance(authorization, Fault):
        return authorization
    if authorization is not None:
        request = request.with_header("Authorization", authorization.header)
    redirect = given.get("redirect") is True
    response = await client.exchange(
        request.with_default(IDEMPOTENCY_KEY, call_id),
        timeout_ms=deadline_at - context.now_ms(),
        redirect=redirect,
    )
    if not isinstance(response, Fault):
        response = output_of(response, given.get("output") or "content", redirect, context.mask)
    return _without(authorization, response) if isinstance(response, Fault) else response


def _authorization_of(authentication: Json, context: CallContext) -> Authorization | Fault | None:
    return None if authentication is None else authorization_of(authentication, context.secret)


def _without(authorization: Authorization | None, fault: Fault) -> Fault:
    """The fault without the credentials that were sent. Those of `basic` are no secret's text or encoding alone."""
    if authorization is None or len(authorization.parameter) < MIN_MASKED_CHARACTERS:
        return fault
    return masked(fault, lambda text: text.replace(authorization.parameter, MASKED))
