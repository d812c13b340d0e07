"""`step`: the pure interpreter. A run's state and a message in; a new state, commands and facts out.

Total: for any well-typed message in any state it returns. Mistakes of users become `Fault` values; a message that
comes too late, twice, or for something that is gone is `stale` and changes nothing.
"""

from penstock.kernel.machine import ROOT, Machine
from penstock.kernel.messages import (
    CallFinished,
    CallOffered,
    CancelRequested,
    ChildFinished,
    Continued,
    EventArrived,
    Message,
    ResumeRequested,
    Started,
    SuspendRequested,
    TimerFired,
)
from penstock.kernel.needs import Answers, Step
from penstock.kernel.nodes import Program
from penstock.kernel.problems import timeout_fault
from penstock.kernel.state import ENDED, CallWork, ChildWork, FaultWork, Frame, RunState, TryWork
from penstock.kernel.tasks.listen import take_event
from penstock.kernel.tasks.offering import offer, take_answers
from penstock.kernel.tasks.registry import KINDS
from penstock.kernel.tasks.retrying import attempt_timed_out
from penstock.kernel.values import EMPTY_OBJECT, NULL


def step(program: Program, state: RunState | None, message: Message, answers: Answers) -> Step:
    """Applies `message`. `state` is None only for `Started`.

    See `Step` for what to do with `needs`. Pure: the same arguments give the same step, byte for byte.
    """
    if state is None:
        if not isinstance(message, Started):
            raise ValueError(f"a run begins with Started, not {type(message).__name__}")
        state = _initial(message)
        machine = Machine(program, state, message.at, answers)
        machine.record("run.started")
    else:
        machine = Machine(program, state, message.at, answers)
        if not state.parked and not _apply(machine, message):
            return Step(state, stale=True)
    finished = machine.run()
    return Step(
        state=machine.freeze(finished=finished),
        commands=tuple(machine.commands),
        facts=tuple(machine.facts),
        needs=tuple(machine.needs),
    )


def _initial(message: Started) -> RunState:
    resume = message.resume
    root = Frame(entry=ROOT, parent=-1, node=0, phase="enter", raw=message.input, started_at=message.at, wake_at=0)
    return RunState(
        run_id=message.run_id,
        workflow=message.workflow,
        version=0,
        status="running",
        input=message.input,
        context=EMPTY_OBJECT if resume is None else resume.context,
        started_at=message.at,
        updated_at=message.at,
        frames={ROOT: root},
        runnable=(ROOT,),
        parent=message.parent,
        retry_of=None if resume is None else resume.retry_of,
        resume=resume,
    )


def _apply(machine: Machine, message: Message) -> bool:
    """Changes the machine as the message says; False if the message is stale."""
    if machine.state.ended:
        return False
    match message:
        case Started():
            return False
        case CallFinished():
            return _call_finished(machine, message)
        case CallOffered():
            return offer(machine, message)
        case ChildFinished():
            return _child_finished(machine, message)
        case EventArrived():
            answered = take_answers(machine, message.matches, message.event)
            return take_event(machine, message.matches, message.event) or answered
        case TimerFired():
            return _timer_fired(machine)
        case Continued():
            return bool(machine.state.runnable) and machine.status != "suspended"
        case CancelRequested():
            machine.cancel_children(ROOT)
            machine.end("cancelled")
            return True
        case SuspendRequested():
            return _suspend(machine, message.reason)
        case ResumeRequested():
            return _resume(machine)


def _call_finished(machine: Machine, message: CallFinished) -> bool:
    for frame in machine.frames.values():
        if isinstance(frame.work, CallWork) and frame.work.invoke.call_id == message.call_id:
            if message.fault is not None:
                unknown = message.call_id if message.fault.unknown_outcome else ""
                failed = machine.change(frame, work=FaultWork(message.fault, unknown), deadline_at=0)
                machine.go_on(failed, "failed")
            else:
                machine.complete(frame.entry, message.output or NULL)
            return True
    return False


def _child_finished(machine: Machine, message: ChildFinished) -> bool:
    frame = machine.frames.get(message.entry)
    if frame is None or not isinstance(frame.work, ChildWork) or frame.work.child_id != message.child_id:
        return False
    if message.fault is not None:
        machine.go_on(machine.change(frame, work=FaultWork(message.fault), deadline_at=0), "failed")
    else:
        machine.complete(frame.entry, message.output or NULL)
    return True


def _timer_fired(machine: Machine) -> bool:
    """Fires every due deadline, in the order of their instants; what ends one may remove another."""
    if machine.status == "suspended":
        return False
    fired = bool(machine.state.runnable)
    while True:
        due = min(
            (
                (at, kind, frame.entry)
                for frame in machine.frames.values()
                for kind, at in enumerate(_deadlines(frame))
                if 0 < at <= machine.at
            ),
            default=None,
        )
        if due is None:
            return fired
        fired = True
        _fire(machine, machine.frames[due[2]], due[1])
        if machine.status in ENDED:
            return True


def _deadlines(frame: Frame) -> tuple[int, int, int]:
    attempt = frame.work.attempt_deadline_at if isinstance(frame.work, TryWork) else 0
    return frame.wake_at, attempt, frame.deadline_at


def _fire(machine: Machine, frame: Frame, kind: int) -> None:
    match kind:
        case 0:
            KINDS[machine.node(frame).kind].wake(machine, machine.change(frame, wake_at=0))
        case 1:
            attempt_timed_out(machine, frame)
        case _:
            what = "the workflow" if frame.entry == ROOT else f"the task {machine.node(frame).name!r}"
            limit = frame.deadline_at - frame.started_at
            machine.fail(frame.entry, timeout_fault(f"{what} did not end within {limit} ms"))


def _suspend(machine: Machine, reason: str) -> bool:
    if machine.status == "suspended":
        return False
    machine.status = "suspended"
    machine.record("run.suspended", detail=reason or None)
    machine.record_all("task.suspended")
    return True


def _resume(machine: Machine) -> bool:
    if machine.status != "suspended":
        return False
    machine.status = "running"
    machine.record("run.resumed")
    machine.record_all("task.resumed")
    return True
