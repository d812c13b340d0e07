"""What tools say about work that they took by event: started, still at it, finished. Pure, and total.

Source: the Keptn CloudEvents specification 0.2 (`*.started`, `*.status.changed`, `*.finished`, `triggeredid`,
`data.status`, `data.result`), without its context and project.
"""

from collections.abc import Mapping
from typing import Final, Literal, cast

import msgspec

from penstock.model.json_value import Json
from penstock.model.limits import MAX_FAULT_TEXT

TRIGGERED_ID: Final = "triggeredid"
TOOL: Final = "penstocktool"
LEASE: Final = "penstocklease"

Said = Literal["started", "progress", "finished"]
Status = Literal["succeeded", "unknown", "errored"]
Result = Literal["pass", "warning", "fail"]

STATUSES: Final[tuple[Status, ...]] = ("succeeded", "unknown", "errored")
"""From the best to the worst."""
RESULTS: Final[tuple[Result, ...]] = ("pass", "warning", "fail")
"""From the best to the worst."""

_SAID: Final[Mapping[str, Said]] = {".started": "started", ".status.changed": "progress", ".finished": "finished"}
_DEFAULT_RESULT: Final[Mapping[Status, Result]] = {"succeeded": "pass", "unknown": "warning", "errored": "fail"}
_VERDICT: Final = frozenset(("status", "result", "message"))
_MAX_DIGITS: Final = 10


class ToolEvent(msgspec.Struct, frozen=True):
    """One event of a tool. `tool` is "" when it does not name itself; `token` 0 when it holds no lease.

    `data` is the event's data, None when it has none; `binary` when what it has is no JSON.
    """

    said: Said
    call_id: str
    tool: str
    source: str
    token: int
    data: Json
    binary: bool


class Finish(msgspec.Struct, frozen=True):
    """How a tool ended. `told` are those of `status` and `result` that it said itself; `rest` is its output."""

    status: Status
    result: Result
    message: str
    told: tuple[str, ...]
    rest: dict[str, Json]


def read_tool_event(event: Mapping[str, Json]) -> ToolEvent | None:
    """The event as a tool's; None when it is none. Never raises, whatever the event holds."""
    type_, call_id = event.get("type"), event.get(TRIGGERED_ID)
    if not isinstance(type_, str) or not isinstance(call_id, str) or not call_id:
        return None
    said: Said | None = next((said for end, said in _SAID.items() if type_.endswith(end)), None)
    if said is None:
        return None
    tool, source = event.get(TOOL), event.get("source")
    return ToolEvent(
        said=said,
        call_id=call_id,
        tool=tool if isinstance(tool, str) else "",
        source=source if isinstance(source, str) else "",
        token=lease_token(event.get(LEASE)),
        data=event.get("data"),
        binary="data_base64" in event,
    )


def lease_token(given: Json) -> int:
    """The number of a lease, given as such or as text (binary mode); 0 for anything else."""
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= _MAX_DIGITS:
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else 0


def read_finish(event: ToolEvent) -> Finish:
    """What the data of a `finished` event says. What cannot be understood counts as an error of the tool."""
    if event.binary:
        return errored("the tool finished with data that is no JSON")
    if event.data is None:
        return Finish("succeeded", "pass", "", (), {})
    given = event.data
    if not isinstance(given, dict):
        return errored("the tool finished with data that is no object")
    data = cast("dict[str, Json]", given)
    given_status, given_result, given_message = data.get("status"), data.get("result"), data.get("message")
    status: Status | None = next((one for one in STATUSES if one == given_status), None)
    result: Result | None = next((one for one in RESULTS if one == given_result), None)
    if status is None and given_status is not None:
        return errored(f"the tool finished with the status {_shown(given_status)}, which does not exist")
    if result is None and given_result is not None:
        return errored(f"the tool finished with the result {_shown(given_result)}, which does not exist")
    told = (*(("status",) if status else ()), *(("result",) if result else ()))
    status = status or "succeeded"
    return Finish(
        status=status,
        result=result or _DEFAULT_RESULT[status],
        message=given_message[:MAX_FAULT_TEXT] if isinstance(given_message, str) else "",
        told=told,
        rest={name: value for name, value in data.items() if name not in _VERDICT},
    )


def errored(message: str) -> Finish:
    """A finish without output that fails the task."""
    return Finish("errored", "fail", message[:MAX_FAULT_TEXT], (), {})


def _shown(given: Json) -> str:
    return repr(given[:100]) if isinstance(given, str) else f"of the type {type(given).__name__}"
