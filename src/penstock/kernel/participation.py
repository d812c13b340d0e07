"""Who takes part in a task that tools take by event, whose answer counts, and what comes of all of them. Pure.

- A tool takes part once it has started; a finish without a start is both.
- Tools that the task was offered to may start until it is done; others until the first finish, or `start_by`.
- A start under a newer lease supersedes the older one of the same tool; answers under an older lease never count.
- The task is done when all that have started have finished. The worst status and the worst result are the task's.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from penstock.errors import RUNTIME, Fault
from penstock.events.tool_events import RESULTS, STATUSES, Finish, Said, ToolEvent
from penstock.kernel.state import OfferedWork, Participant
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_NAME_CHARACTERS, MAX_PARTICIPANTS

_STATUS_RANK: Final[Mapping[str, int]] = {status: rank for rank, status in enumerate(STATUSES)}
_RESULT_RANK: Final[Mapping[str, int]] = {result: rank for rank, result in enumerate(RESULTS)}


class Refusal(msgspec.Struct, frozen=True):
    """Why an answer does not count."""

    type: Literal["task.superseded", "task.ignored"]
    reason: str


def tool_of(work: OfferedWork, event: ToolEvent) -> str:
    """The tool as it names itself; else the only one that was asked; else where the event comes from."""
    if event.tool:
        return event.tool
    return work.tools[0] if len(work.tools) == 1 else event.source


def participant(work: OfferedWork, tool: str) -> Participant | None:
    return next((one for one in work.participants if one.tool == tool), None)


def refusal(work: OfferedWork, said: Said, tool: str, token: int, at: int) -> Refusal | None:
    """Why this answer at `at` does not count; None if it does."""
    known = participant(work, tool)
    if known is None:
        reason = _stranger(work, said, tool, at)
        return None if reason is None else Refusal("task.ignored", reason)
    if token < known.token:
        return Refusal("task.superseded", f"lease {token} was superseded by lease {known.token}")
    if known.status:
        return Refusal("task.ignored", "the tool has finished already")
    if said == "started" and token == known.token:
        return Refusal("task.ignored", "the tool has started already")
    return None


def _stranger(work: OfferedWork, said: Said, tool: str, at: int) -> str | None:
    """Why a tool that has not started yet may not do so now."""
    if not tool or len(tool) > MAX_NAME_CHARACTERS:
        return "the tool has no name" if not tool else f"its name is longer than {MAX_NAME_CHARACTERS} characters"
    offered = tool in work.tools
    if said == "progress":
        return None if offered else "the tool has not started"
    if offered:
        return None
    if len(work.participants) >= MAX_PARTICIPANTS:
        return f"the tool was not asked, and {MAX_PARTICIPANTS} tools have started already"
    if any(one.status for one in work.participants):
        return "the tool was not asked, and another had finished before it started"
    if 0 < work.start_by < at:
        return "the tool was not asked, and started after the deadline"
    return None


def with_start(work: OfferedWork, tool: str, token: int, at: int) -> OfferedWork:
    """The work after a start that counts."""
    return _with(work, Participant(tool, token, at), at)


def with_finish(work: OfferedWork, tool: str, token: int, at: int, finish: Finish, output: Value | None) -> OfferedWork:
    """The work after a finish that counts. `output` is what the outputs so far make together."""
    known = participant(work, tool)
    started_at = at if known is None else known.started_at
    ended = Participant(tool, token, started_at, finish.status, finish.result, finish.message)
    told = tuple(sorted({*work.told, *finish.told}))
    return msgspec.structs.replace(_with(work, ended, at), output=output, told=told)


def merged(work: OfferedWork, finish: Finish) -> dict[str, Json]:
    """The outputs so far and this one; members of a later one replace those of an earlier one."""
    before: dict[str, Json] = {} if work.output is None else work.output.data
    return {**before, **finish.rest}


def is_done(work: OfferedWork) -> bool:
    return bool(work.participants) and all(one.status for one in work.participants)


def worst(work: OfferedWork) -> tuple[str, str]:
    """The worst status and the worst result of those that have finished, which need not be of one tool."""
    status = max((one.status for one in work.participants if one.status), key=_status_rank)
    return status, max((one.result for one in work.participants if one.result), key=_result_rank)


def outcome(work: OfferedWork) -> dict[str, Json] | Fault:
    """What a task that is done gives: its output, or why it failed. A `warning` passes."""
    status, result = worst(work)
    if status == "errored" or result == "fail":
        culprit = max(work.participants, key=_badness)
        how = "errored" if culprit.status == "errored" else "failed"
        detail = f"the tool {culprit.tool!r} {how}" + (f": {culprit.message}" if culprit.message else "")
        return Fault(RUNTIME, 500, "Tool failed", detail, extra={"tool": culprit.tool, "result": culprit.result})
    said = {"status": status, "result": result}
    output: dict[str, Json] = {} if work.output is None else work.output.data
    return {**output, **{name: said[name] for name in work.told}}


def _badness(one: Participant) -> tuple[bool, int, int]:
    return one.status == "errored", _result_rank(one.result), _status_rank(one.status)


def _status_rank(status: str) -> int:
    return _STATUS_RANK.get(status, 0)


def _result_rank(result: str) -> int:
    return _RESULT_RANK.get(result, 0)


def _with(work: OfferedWork, changed: Participant, at: int) -> OfferedWork:
    if participant(work, changed.tool) is None:
        everybody = (*work.participants, changed)
    else:
        everybody = tuple(changed if one.tool == changed.tool else one for one in work.participants)
    return msgspec.structs.replace(work, participants=everybody, heard_at=at)
