"""What tools say about work that they took by event: started, still at it, finished. Pure, and total.

Source: the Keptn CloudEvents specification 0.2 (`*.started`, `*.status.changed`, `*.finished`, `triggeredid`,
`data.status`, `data.result`), without its context and project.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeVar, cast

import msgspec

from penstock.model.json_value import Json
from penstock.model.limits import MAX_FAULT_TEXT

TRIGGERED_ID: Final = "triggeredid"
TOOL: Final = "penstocktool"
LEASE: Final = "penstocklease"

T = TypeVar("T")

Said = Literal["started", "progress", "finished"]
Status = Literal["succeeded", "unknown", "errored"]
Result = Literal["pass", "warning", "fail"]

STATUSES: Final[tuple[Status, ...]] = ("succeeded", "unknown", "errored")
"""From the best to the worst."""
RESULTS: Final[tuple[Result, ...]] = ("pass", "warning", "fail")
"""From the best to the worst."""

_SAID: Final[Mapping[str, Said]] = {".started": "started", ".status.changed": "progress", ".finished": "finished"}
_DEFAULT_RESULT: Final[Mapping[Status, Result]] = {"succeeded": "pass", "unknown": "fail", "errored": "fail"}
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
    """What the data of a `finished` event says.

    Without a status it has succeeded, without a result it passes if it has. A status that is unknown, or does not
    exist, is `unknown` and fails whatever the result; a result that does not exist fails (as with Keptn).
    """
    if event.binary:
        return errored("it finished with data that is no JSON")
    if event.data is None:
        return Finish("succeeded", "pass", "", (), {})
    given = event.data
    if not isinstance(given, dict):
        return errored("it finished with data that is no object")
    data = cast("dict[str, Json]", given)
    given_status, given_result = data.get("status"), data.get("result")
    status: Status | None = "succeeded" if given_status is None else _one_of(STATUSES, given_status)
    status = status or "unknown"
    result: Result | None = _DEFAULT_RESULT[status] if given_result is None else _one_of(RESULTS, given_result)
    return Finish(
        status=status,
        result=result if result is not None and status != "unknown" else "fail",
        message=_message(data),
        told=tuple(name for name in ("status", "result") if data.get(name) is not None),
        rest={name: value for name, value in data.items() if name not in _VERDICT},
    )


def _one_of(known: tuple[T, ...], given: Json) -> T | None:
    return next((one for one in known if one == given), None)


def _message(data: Mapping[str, Json]) -> str:
    """What the tool says; or that it said something that means nothing."""
    if isinstance(said := data.get("message"), str) and said:
        return said[:MAX_FAULT_TEXT]
    for name, known in (("status", STATUSES), ("result", RESULTS)):
        if data.get(name) is not None and data[name] not in known:
            return f"it finished with a {name} that does not exist: {_shown(data[name])}"
    return "it does not know how it ended" if data.get("status") == "unknown" else ""


def errored(message: str) -> Finish:
    """A finish without output that fails the task."""
    return Finish("errored", "fail", message[:MAX_FAULT_TEXT], (), {})


def _shown(given: Json) -> str:
    return repr(given[:100]) if isinstance(given, str) else "no text"
