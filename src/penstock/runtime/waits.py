"""What a run waits for: since when, until when, and who can end it. Pure.

Only the ends of the tree of tasks wait; what is around them waits for them, and shows in their time limits.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from penstock.kernel.commands import Invoke
from penstock.kernel.instants import rfc3339
from penstock.kernel.nodes import Node, Program
from penstock.kernel.state import CallWork, ChildWork, Frame, ListenWork, OfferedWork, RunState, TryWork
from penstock.model.json_value import Json
from penstock.model.plain_data import is_map
from penstock.runtime.beginnings import ROOT, begins_at, is_unstarted
from penstock.runtime.envelopes import ListenerBody
from penstock.runtime.filter_words import clauses, cut, filters_at, send_command, sentence

WaitKind = Literal["start", "timer", "retry", "event", "call", "tools", "run", "resume", "turn"]
Listeners = Mapping[tuple[int, int], ListenerBody]
"""What the listeners of the run know, by entry and filter."""
_NOTHING: Final = ListenerBody()


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a run waits for. Instants are milliseconds UTC, 0 for none.

    `until` tells what comes at `until_at`; `ends` who can end the wait before.
    """

    kind: WaitKind
    what: str
    since_at: int
    ends: str
    until_at: int = 0
    until: str = ""
    reference: str = ""
    name: str = ""
    entry: int = 0
    path: tuple[int, ...] = ()
    detail: Mapping[str, Json] = {}

    def as_json(self) -> dict[str, Json]:
        """A wait of `GET /api/v1/runs/{id}/why`."""
        return {
            "kind": self.kind,
            "reference": self.reference,
            "name": self.name,
            "entry": self.entry,
            "path": list(self.path),
            "what": self.what,
            "since": rfc3339(self.since_at),
            "until": rfc3339(self.until_at) if self.until_at else None,
            "until_what": self.until,
            "ends": self.ends,
            **self.detail,
        }


class Suspension(msgspec.Struct, frozen=True):
    """Since when a run is held, and why."""

    at: int
    reason: str = ""


def waits_of(
    state: RunState, program: Program, listeners: Listeners, reasons: Mapping[str, str], held: Suspension | None
) -> list[Wait]:
    """What the run waits for, in the order in which its tasks were entered; nothing once it has ended.

    `reasons` are those for which calls have not begun, by call id. `held` is there while the run is suspended.
    """
    if state.ended:
        return []
    found: list[Wait] = []
    if state.status == "suspended":
        found.append(_suspended(state, held or Suspension(state.updated_at)))
    if is_unstarted(state):
        return found or [_unstarted(state)]
    asking = _Asking(state, program, listeners, reasons)
    return [*found, *asking.waits()]


def _suspended(state: RunState, held: Suspension) -> Wait:
    why = f": {held.reason}" if held.reason else ""
    return Wait(
        kind="resume",
        what=f"the run is suspended{why}; what it waits for goes on, but nothing follows",
        since_at=held.at,
        ends=f"penstock resume {state.run_id}, or penstock cancel {state.run_id}; time limits wait, too",
    )


def _unstarted(state: RunState) -> Wait:
    at = begins_at(state)
    what = f"the run begins at {rfc3339(at)}" if at else "the run has not begun: the engine that holds it begins it"
    return Wait(
        kind="start",
        what=what,
        since_at=state.started_at,
        until_at=at,
        until="the start that was asked for" if at else "",
        ends=f"penstock cancel {state.run_id} ends the run without a start",
    )


class _Asking:
    """A look at one state."""

    def __init__(self, state: RunState, program: Program, listeners: Listeners, reasons: Mapping[str, str]) -> None:
        self._state = state
        self._program = program
        self._listeners = listeners
        self._reasons = reasons

    def waits(self) -> Iterator[Wait]:
        soon = {*self._state.runnable, *self._state.parked}
        for frame in self._state.frames.values():
            if frame.entry in soon:
                yield self._turn(frame)
            elif (found := self._wait(frame)) is not None:
                yield found

    def _node(self, frame: Frame) -> Node:
        return self._program.nodes[frame.node]

    def _wait(self, frame: Frame) -> Wait | None:
        """None for a frame whose children wait."""
        match frame.work:
            case ListenWork() if frame.phase == "listening":
                return self._event(frame, frame.work)
            case CallWork(invoke=invoke):
                return self._call(frame, invoke)
            case OfferedWork():
                return self._tools(frame, frame.work)
            case ChildWork(child_id=child_id):
                return self._made(
                    frame,
                    "run",
                    f"the end of the run {child_id}",
                    f"penstock why {child_id} tells what that one waits for",
                    detail={"run": child_id},
                )
            case TryWork() if frame.phase == "delaying":
                return self._retry(frame, frame.work)
            case _ if frame.phase == "waiting":
                return self._made(frame, "timer", "time: a wait of the document", self._nobody("time alone"))
            case _:
                return None

    def _nobody(self, who: str) -> str:
        return f"{who}; penstock cancel {self._state.run_id} ends the run"

    def _made(
        self, frame: Frame, kind: WaitKind, what: str, ends: str, *, detail: Mapping[str, Json] | None = None
    ) -> Wait:
        node = self._node(frame)
        until_at, until = self._limit(frame)
        return Wait(
            kind=kind,
            what=what,
            since_at=frame.started_at,
            until_at=until_at,
            until=until,
            ends=ends,
            reference=node.pointer,
            name=node.name,
            entry=frame.entry,
            path=frame.path,
            detail=detail or {},
        )

    def _turn(self, frame: Frame) -> Wait:
        if self._state.status == "suspended":
            return self._made(
                frame, "turn", "nothing but that the run is resumed", f"penstock resume {self._state.run_id}"
            )
        return self._made(frame, "turn", "nothing: it can go on at once", "the engine, by itself")

    def _event(self, frame: Frame, work: ListenWork) -> Wait:
        asked = [
            (place, self._listeners.get((frame.entry, place.number), _NOTHING))
            for place in filters_at(self._node(frame))
            if place.number not in (work.until_met if place.ends else work.met)
        ]
        sentences = [("an end by " if place.ends else "") + sentence(place, body.known) for place, body in asked]
        filters: list[Json] = [
            {"ends": place.ends, "clauses": clauses(place, body.known), "send": send_command(place, body.known)}
            for place, body in asked
        ]
        met = f"; {len(work.consumed)} came so far" if work.consumed or work.met else ""
        ends = f"an event like that: {send_command(asked[0][0], asked[0][1].known)}" if asked else "an event"
        return self._made(frame, "event", "; or ".join(sentences) + met, ends, detail={"filters": filters})

    def _call(self, frame: Frame, invoke: Invoke) -> Wait:
        whom, ends = _called(invoke)
        what = f"the answer of {whom}"
        reason = self._reasons.get(invoke.call_id, "")
        detail: dict[str, Json] = {"call": invoke.call_id}
        if reason:
            detail["reason"] = reason
            what += f", which has not begun: {reason}"
        return self._made(frame, "call", what, ends if reason else self._nobody("its answer"), detail=detail)

    def _tools(self, frame: Frame, work: OfferedWork) -> Wait:
        asked = ", ".join(work.tools) or "nobody in particular"
        started = [f"{one.tool}: {_progress(one.status, one.started_at)}" for one in work.participants]
        what = f"tools that take {work.capability} by event; offered to {asked}; " + (
            ", ".join(started) if started else "nobody has started yet"
        )
        if work.heard_at:
            what += f"; last heard of at {rfc3339(work.heard_at)}"
        missing = [one.tool for one in work.participants if not one.status] or list(work.tools)
        event = f"{work.prefix}{work.capability}.{'finished' if started else 'started'}"
        ends = f"{' or '.join(missing) or 'a tool'}, by an event {event} with triggeredid {work.invoke.call_id}"
        participants: list[Json] = [
            {"tool": one.tool, "started_at": rfc3339(one.started_at), "status": one.status, "result": one.result}
            for one in work.participants
        ]
        detail: dict[str, Json] = {
            "call": work.invoke.call_id,
            "capability": work.capability,
            "tools": [*work.tools],
            "participants": participants,
        }
        return self._made(frame, "tools", what, ends, detail=detail)

    def _retry(self, frame: Frame, work: TryWork) -> Wait:
        fault = work.caught
        failed = "" if fault is None else f"; attempt {work.attempt} failed: {cut(f'{fault.title}: {fault.detail}')}"
        what = f"time: the delay before attempt {work.attempt + 1}{failed}"
        return self._made(frame, "retry", what, self._nobody("time alone"))

    def _limit(self, frame: Frame) -> tuple[int, str]:
        """The first instant at which something happens without anybody, and what."""
        return min(self._limits(frame), default=(0, ""))

    def _limits(self, frame: Frame) -> Iterator[tuple[int, str]]:
        if frame.wake_at:
            yield frame.wake_at, _wakes(frame)
        current: Frame | None = frame
        while current is not None:
            name = self._node(current).name
            if current.deadline_at and current.entry == ROOT:
                yield current.deadline_at, "the timeout of the workflow"
            elif current.deadline_at:
                own = self._node(current).timeout is not None
                yield current.deadline_at, f"the timeout of {name}" if own else "the longest time that a call may take"
            if isinstance(current.work, TryWork) and current.work.attempt_deadline_at:
                yield current.work.attempt_deadline_at, f"the limit of an attempt of {name}"
            current = self._state.frames.get(current.parent)


def _wakes(frame: Frame) -> str:
    match frame.work:
        case TryWork():
            return "the next attempt"
        case OfferedWork():
            return "the time by which a tool must have started"
        case _:
            return "the end of the wait"


def _progress(status: str, started_at: int) -> str:
    return f"finished ({status})" if status else f"started at {rfc3339(started_at)}"


def _called(invoke: Invoke) -> tuple[str, str]:
    """Who is called, and who can make a call begin that has not begun."""
    arguments: Json = invoke.arguments.data
    given: dict[str, Json] = arguments if is_map(arguments) else {}
    match invoke.kind:
        case "http":
            return f"{str(given.get('method', '')).upper()} {_host(given.get('uri'))}", "a free place among the calls"
        case "openapi":
            return (
                f"the operation {given.get('operationId')} of {_host(given.get('document'))}",
                "a free place among the calls",
            )
        case "capability":
            name = str(given.get("name"))
            return (
                f"the capability {name}",
                f"a tool for it: penstock tools register NAME --capability {name} --endpoint URL",
            )


def _host(uri: Json) -> str:
    """Host and port alone: paths and queries may hold what is nobody's business."""
    if not isinstance(uri, str):
        return "an address that is known when it is called"
    try:
        parts = urlsplit(uri)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "its address"
    except ValueError:
        return "its address"
