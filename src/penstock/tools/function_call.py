"""`call: CAPABILITY` by a function in this process. The deadline is kept by whoever cancels the call."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, cast

import msgspec

from penstock import errors
from penstock.errors import Fault
from penstock.kernel.values import Value
from penstock.model.json_value import Json, check_json
from penstock.model.limits import MAX_FAULT_TEXT, MAX_VALUE_BYTES
from penstock.tools.contract import CallContext, Outcome
from penstock.tools.function_threads import FunctionThreads
from penstock.tools.functions import Function

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


_READ_CHARACTERS: Final = 16 * MAX_FAULT_TEXT
"""How much of an exception's text is looked at: more than is kept, so that no secret is cut before it is masked."""


async def call_function(
    function: Function, given: Json, context: CallContext, *, call_id: str, threads: FunctionThreads
) -> Outcome:
    """The output of the function, or the fault that its exception is. Raises nothing but cancellation.

    An async function runs in the event loop and is cancelled with this call; another one runs in a thread, and
    goes on there, unheard, when this call is cancelled. Input and output are copies: what the function keeps of
    them and changes later changes nothing here.
    """
    keywords = function.keywords(call_id, context.run_id)
    copied = _decode(_encode(given))
    if not function.is_async:
        return await threads.run(partial(_call_sync, function, copied, keywords, context.mask))
    try:
        coroutine = cast("Coroutine[object, object, Json]", function.call(copied, **keywords))
        return output_of(function, await coroutine)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return fault_of(error, context.mask)  # something that the function awaited was cancelled, not this call
    except (Exception, SystemExit) as error:
        return fault_of(error, context.mask)


def _call_sync(function: Function, given: Json, keywords: dict[str, str], mask: Callable[[str], str]) -> Outcome:
    try:
        return output_of(function, function.call(given, **keywords))
    except BaseException as error:  # the bulkhead of a thread: whatever it is, it becomes an answer
        return fault_of(error, mask)


def output_of(function: Function, data: Json) -> Outcome:
    """What the function returned as a value of its own; a fault when it is not JSON, too deep or too large."""
    if (reason := check_json(data)) is not None:
        if asyncio.iscoroutine(data):
            data.close()
        return _unusable(f"the output of {function.capability!r} {reason}")
    encoded = _encode(data)
    if len(encoded) > MAX_VALUE_BYTES:
        return _unusable(f"the output of {function.capability!r} is larger than {MAX_VALUE_BYTES} bytes")
    return Value(json=encoded)


def fault_of(error: BaseException, mask: Callable[[str], str]) -> Fault:
    """The fault that an exception carries; else one named after its class, with its text as detail."""
    carried = getattr(error, "fault", None)
    if not isinstance(carried, Fault):
        return Fault(errors.RUNTIME, 500, type(error).__name__[:MAX_FAULT_TEXT], _bounded(_text(error), mask))
    status = carried.status if isinstance(carried.status, int) else 500  # pyright: ignore[reportUnnecessaryIsInstance]
    extra = carried.extra if _is_usable(carried.extra) else {}
    return Fault(
        errors.canonical_error_type(str(carried.type))[:MAX_FAULT_TEXT],
        status,
        _bounded(str(carried.title), mask),
        _bounded(str(carried.detail), mask),
        unknown_outcome=bool(carried.unknown_outcome),
        extra=extra,
    )


def _is_usable(extra: Json) -> bool:
    return isinstance(extra, dict) and check_json(extra) is None and len(_encode(extra)) <= MAX_VALUE_BYTES


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception whose own text fails is still only a fault
        return ""


def _bounded(text: str, mask: Callable[[str], str]) -> str:
    return mask(text[:_READ_CHARACTERS].encode("utf-8", "replace").decode())[:MAX_FAULT_TEXT]


def _unusable(detail: str) -> Fault:
    return Fault(errors.RUNTIME, 500, "Output not usable", detail)
