"""Performs an `Invoke` by its kind: the one thing that the runtime calls, and a bulkhead for exceptions."""

from collections.abc import Awaitable
from typing import assert_never

from penstock import errors
from penstock.errors import Fault
from penstock.kernel.commands import Invoke
from penstock.model.json_value import Json
from penstock.model.limits import CALL_TIMEOUT_MS
from penstock.model.plain_data import is_map
from penstock.tools.capability import perform_capability
from penstock.tools.contract import CallContext, Outcome, ResourceMissing, ToolDirectory
from penstock.tools.function_call import call_function
from penstock.tools.function_threads import FunctionThreads
from penstock.tools.functions import Functions
from penstock.tools.http import perform_http, send
from penstock.tools.http_client import HttpClient
from penstock.tools.masked_fault import masked
from penstock.tools.openapi import prepare


class HttpTools:
    """Performs http, openapi and capability calls, those by functions without HTTP. Implements `Performer`.

    Guarantees: every call carries its key, ends by its deadline, and comes back as a `Value`, or as a `Fault`
    in whose texts rendered secrets are masked. Cancelling the task aborts the request at once.
    """

    def __init__(
        self,
        client: HttpClient,
        directory: ToolDirectory,
        functions: Functions | None = None,
        threads: FunctionThreads | None = None,
    ) -> None:
        self._client = client
        self._directory = directory
        self._functions = functions or Functions()
        self._threads = threads or FunctionThreads()

    async def perform(self, invoke: Invoke, arguments: Json, context: CallContext) -> Outcome:
        try:
            outcome = await self._dispatch(invoke, arguments, context)
        except Exception as error:  # one bad call must not end the shell
            detail = f"performing the call failed inside the engine: {type(error).__name__}"
            return Fault(errors.RUNTIME, 500, "Call failed", detail, unknown_outcome=True)
        return masked(outcome, context.mask) if isinstance(outcome, Fault) else outcome

    def _dispatch(self, invoke: Invoke, arguments: Json, context: CallContext) -> Awaitable[Outcome]:
        given = arguments if is_map(arguments) else dict[str, Json]()
        deadline_at = invoke.deadline_at or context.now_ms() + CALL_TIMEOUT_MS
        match invoke.kind:
            case "http":
                return perform_http(self._client, given, context, call_id=invoke.call_id, deadline_at=deadline_at)
            case "openapi":
                return self._openapi(invoke.call_id, deadline_at, given, context)
            case "capability":
                if (function := self._functions.get(str(given.get("name")))) is not None:
                    value, key = given.get("input"), invoke.call_id
                    return call_function(function, value, context, call_id=key, threads=self._threads)
                return self._capability(invoke.call_id, deadline_at, given, context)
            case _ as unreachable:
                assert_never(unreachable)

    async def _openapi(self, call_id: str, deadline_at: int, given: dict[str, Json], context: CallContext) -> Outcome:
        uri = str(given.get("document"))
        try:
            document = context.resource(uri)
        except ResourceMissing as error:
            return Fault(errors.CONFIGURATION, 400, "Document not available", str(error))
        request = prepare(document, uri, given.get("operationId"), given.get("parameters"))
        if isinstance(request, Fault):
            return request
        return await send(self._client, request, given, context, call_id=call_id, deadline_at=deadline_at)

    async def _capability(
        self, call_id: str, deadline_at: int, given: dict[str, Json], context: CallContext
    ) -> Outcome:
        name = str(given.get("name"))
        tool = await self._directory.tool_for(name, context)
        if tool is None:
            detail = f"no tool provides the capability {name!r}"
            return Fault(errors.CONFIGURATION, 400, "No tool", detail)
        return await perform_capability(
            self._client, tool, given.get("input"), context, call_id=call_id, deadline_at=deadline_at
        )
