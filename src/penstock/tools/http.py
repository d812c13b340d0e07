"""`call: http`: builds the request, adds the key and the credentials, sends it, and reads the answer."""

from typing import cast

from penstock import errors
from penstock.errors import Fault
from penstock.model.json_value import Json
from penstock.tools.authentication import authorization_of
from penstock.tools.contract import CallContext, Outcome
from penstock.tools.http_client import HttpClient
from penstock.tools.http_output import output_of
from penstock.tools.http_request import HttpRequest, build_request

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
    prepared = _authorized(request, given.get("authentication"), context)
    if isinstance(prepared, Fault):
        return prepared
    redirect = given.get("redirect") is True
    form = given.get("output") or "content"
    response = await client.exchange(
        prepared.with_default(IDEMPOTENCY_KEY, call_id),
        timeout_ms=deadline_at - context.now_ms(),
        redirect=redirect,
    )
    if isinstance(response, Fault):
        return response
    return output_of(response, form, redirect, context.mask)


def _authorized(request: HttpRequest, authentication: Json, context: CallContext) -> HttpRequest | Fault:
    if authentication is None:
        return request
    authorization = authorization_of(authentication, context.secret)
    if isinstance(authorization, Fault):
        return authorization
    return request.with_header("Authorization", authorization.header)
