"""A call to a capability whose tools take work by event: offered, answered by events, withdrawn.

Effects only; which answer counts, and what comes of it, is decided in `penstock.kernel.participation`. Nothing here
raises for anything that an event may hold: it counts, it is noted as ignored, or the tool has failed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import msgspec

from penstock.errors import CONFIGURATION, Fault
from penstock.events.tool_events import TRIGGERED_ID, Finish, ToolEvent, errored, read_finish, read_tool_event
from penstock.kernel.commands import Offer, PublishEvent, Subscribe, Unsubscribe, Withdraw
from penstock.kernel.evaluation import checked_value
from penstock.kernel.facts import FactType
from penstock.kernel.ids import derived_id
from penstock.kernel.instants import rfc3339
from penstock.kernel.messages import CallOffered, EventMatch
from penstock.kernel.participation import (
    Refusal,
    is_done,
    merged,
    outcome,
    participant,
    refusal,
    tool_of,
    with_finish,
    with_start,
)
from penstock.kernel.problems import TaskFault, fault_of, timeout_fault
from penstock.kernel.state import CallWork, FaultWork, Frame, OfferedWork
from penstock.kernel.tasks.retrying import key_to_resend
from penstock.kernel.topics import TASK_TOPIC, task_key
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import (
    LEASES_PER_OFFER,
    MAX_FAULT_TEXT,
    MAX_IGNORED_FACTS,
    MAX_OFFERED_TOOLS,
    MAX_PROGRESS_BYTES,
    MAX_PROGRESS_FACTS,
)

if TYPE_CHECKING:
    from penstock.kernel.machine import Machine

_MAX_OFFERS: Final = 2_000_000
"""Versions that make a difference to tokens, so that a token stays an integer of 32 bits, as CloudEvents asks."""


def offer(machine: "Machine", message: CallOffered) -> bool:
    """The tools of a call take work by event; False if nobody waits for that call, or it is offered already."""
    frame = next((f for f in machine.frames.values() if _is_call(f, message.call_id)), None)
    if frame is None:
        return False
    assert isinstance(frame.work, CallWork)
    invoke, tools = frame.work.invoke, tuple(dict.fromkeys(message.tools))
    if (problem := _problem(tools, secret=bool(invoke.deferred))) is not None:
        _fail_later(machine, frame, problem)
        return True
    start_by = max(0, min(message.start_by, invoke.deadline_at))
    work = OfferedWork(invoke, message.capability, message.prefix, start_by, tools)
    frame = machine.change(frame, work=work, wake_at=start_by)
    machine.commands += [
        Offer(
            call_id=invoke.call_id,
            capability=message.capability,
            tools=tools,
            event=_triggered(machine, work),
            deadline_at=invoke.deadline_at,
            pushed=tuple(tool for tool in tools if tool in message.pushed),
            token=_first_token(machine, frame, invoke.call_id),
        ),
        Subscribe(frame.entry, 0, TASK_TOPIC.topic, task_key(invoke.call_id)),
    ]
    detail: dict[str, Json] = {"capability": message.capability, "tools": [*tools], "call": invoke.call_id}
    if start_by:
        detail["start_by"] = rfc3339(start_by)
    machine.record("task.offered", frame, machine.node(frame), detail=detail)
    return True


def take_answers(machine: "Machine", matches: Sequence[EventMatch], event: Value) -> bool:
    """Hands an event to the offered tasks that it answers; False if there are none, or none any more."""
    taken = False
    for match in matches:
        frame = machine.frames.get(match.entry)
        if frame is None or not isinstance(frame.work, OfferedWork):
            continue
        said = read_tool_event(cast("dict[str, Json]", event.data)) if _is_object(event) else None
        if said is not None and said.call_id == frame.work.invoke.call_id:
            _take(machine, frame, frame.work, said)
            taken = True
    return taken


def give_up(machine: "Machine", frame: Frame, work: OfferedWork) -> None:
    """The task is left before its tools have finished it: they learn that nobody waits for it any more."""
    _withdraw(machine, frame, work)
    event = _event(machine, work, "cancelled", derived_id(machine.at, machine.state.run_id, frame.entry, "cancelled"))
    machine.commands.append(PublishEvent(Value({**event, TRIGGERED_ID: work.invoke.call_id})))


def nobody_started(machine: "Machine", frame: Frame) -> None:
    """`start_by` has come, and nobody has started."""
    assert isinstance(frame.work, OfferedWork)
    asked = ", ".join(map(repr, frame.work.tools))[:MAX_FAULT_TEXT] or "nobody in particular"
    detail = f"nobody started {frame.work.capability!r} by {rfc3339(frame.work.start_by)}; asked: {asked}"
    machine.fail(frame.entry, msgspec.structs.replace(timeout_fault(detail), unknown_outcome=True))


def _is_object(value: Value) -> bool:
    return isinstance(value.data, dict)


def _is_call(frame: Frame, call_id: str) -> bool:
    work = frame.work
    return isinstance(work, CallWork) and work.invoke.call_id == call_id and work.invoke.kind == "capability"


def _problem(tools: Sequence[str], *, secret: bool) -> Fault | None:
    """Why a call cannot be offered."""
    if secret:
        return fault_of(
            CONFIGURATION,
            "the input names $secrets, but tools that take work by event get it in an event, which is stored and shown",
        )
    if len(tools) > MAX_OFFERED_TOOLS:
        return fault_of(CONFIGURATION, f"the task is for {len(tools)} tools; the limit is {MAX_OFFERED_TOOLS}")
    return None


def _first_token(machine: "Machine", frame: Frame, call_id: str) -> int:
    """Where leases begin: at 0; for a call that is sent again, above all that were given before."""
    if key_to_resend(machine, frame) != call_id:
        return 0
    return min(machine.state.version, _MAX_OFFERS) * LEASES_PER_OFFER


def _take(machine: "Machine", frame: Frame, work: OfferedWork, event: ToolEvent) -> None:
    tool, token = tool_of(work, event), event.token
    refused = refusal(work, event.said, tool, token, machine.at)
    if refused is not None:
        _ignore(machine, frame, work, event, refused)
        return
    match event.said:
        case "started":
            _start(machine, frame, work, tool, token)
        case "progress":
            _progress(machine, frame, work, tool, event)
        case "finished":
            _finish(machine, frame, work, tool, event)


def _start(machine: "Machine", frame: Frame, work: OfferedWork, tool: str, token: int) -> None:
    before = participant(work, tool)
    superseded: dict[str, Json] = {} if before is None else {"supersedes": before.token}
    frame = machine.change(frame, work=with_start(work, tool, token, machine.at), wake_at=0)
    _record(machine, frame, "task.tool_started", tool, token, superseded)


def _progress(machine: "Machine", frame: Frame, work: OfferedWork, tool: str, event: ToolEvent) -> None:
    count = min(work.progress + 1, MAX_PROGRESS_FACTS)
    told = work.progress < MAX_PROGRESS_FACTS
    frame = machine.change(frame, work=msgspec.structs.replace(work, progress=count, heard_at=machine.at))
    if told:
        size = Value(event.data).size
        shown: dict[str, Json] = {"data": event.data} if size <= MAX_PROGRESS_BYTES else {"bytes": size}
        _record(machine, frame, "task.progress", tool, event.token, shown)


def _finish(machine: "Machine", frame: Frame, work: OfferedWork, tool: str, event: ToolEvent) -> None:
    finish, output = read_finish(event), work.output
    try:
        output = checked_value(machine, merged(work, finish), "tool")
    except TaskFault as problem:
        finish = errored(problem.fault.detail)
    work = with_finish(work, tool, event.token, machine.at, finish, output)
    frame = machine.change(frame, work=work, wake_at=0)
    _record(machine, frame, "task.tool_finished", tool, event.token, _told(finish))
    if is_done(work):
        _end(machine, frame, work)
    elif tool in work.tools:
        machine.commands.append(Withdraw(work.invoke.call_id, tool))  # else its lease would end, and another begin


def _told(finish: Finish) -> dict[str, Json]:
    said: dict[str, Json] = {"status": finish.status, "result": finish.result}
    return said | {"message": finish.message} if finish.message else said


def _end(machine: "Machine", frame: Frame, work: OfferedWork) -> None:
    _withdraw(machine, frame, work)
    came = outcome(work)
    if isinstance(came, Fault):
        _fail_later(machine, frame, came)
    else:
        machine.complete(frame.entry, Value(came))


def _fail_later(machine: "Machine", frame: Frame, fault: Fault) -> None:
    """As for any answer of the world: the fault takes effect when the frame goes on, be the run suspended or not."""
    machine.go_on(machine.change(frame, work=FaultWork(fault), wake_at=0, deadline_at=0), "failed")


def _ignore(machine: "Machine", frame: Frame, work: OfferedWork, event: ToolEvent, refused: Refusal) -> None:
    if work.ignored >= MAX_IGNORED_FACTS:
        return
    frame = machine.change(frame, work=msgspec.structs.replace(work, ignored=work.ignored + 1))
    detail: dict[str, Json] = {"said": event.said, "reason": refused.reason}
    _record(machine, frame, refused.type, tool_of(work, event)[:MAX_FAULT_TEXT], event.token, detail)


def _record(machine: "Machine", frame: Frame, type_: FactType, tool: str, token: int, more: dict[str, Json]) -> None:
    machine.record(type_, frame, machine.node(frame), detail={"tool": tool, "token": token, **more})


def _withdraw(machine: "Machine", frame: Frame, work: OfferedWork) -> None:
    machine.commands += [Withdraw(work.invoke.call_id), Unsubscribe(frame.entry)]


def _triggered(machine: "Machine", work: OfferedWork) -> Value:
    arguments: Json = work.invoke.arguments.data
    event = _event(machine, work, "triggered", work.invoke.call_id)
    deadline = rfc3339(work.invoke.deadline_at)
    return Value({**event, "penstockdeadline": deadline, "data": arguments["input"]})


def _event(machine: "Machine", work: OfferedWork, what: str, event_id: str) -> dict[str, Json]:
    """The attributes of an event that the engine sends to tools; its data may follow."""
    run_id = machine.state.run_id
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/penstock/runs/{run_id}",
        "type": f"{work.prefix}{work.capability}.{what}",
        "subject": work.invoke.reference,
        "time": rfc3339(machine.at),
        "datacontenttype": "application/json",
        "penstockrun": run_id,
    }
