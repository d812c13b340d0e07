"""The working state of one step: the tree of frames, what is to be done next, and what came of it.

A step never changes the state it was given; a machine copies what it changes and freezes the rest. Work goes
round by round: all runnable frames go on until they end, wait or need an evaluation; then the answered ones go on.
"""

from collections import deque
from collections.abc import Collection

import msgspec

from penstock.errors import Fault
from penstock.kernel import data_flow
from penstock.kernel.commands import CancelCall, Command, Deferred, Unsubscribe
from penstock.kernel.facts import Fact, FactType
from penstock.kernel.needs import Answers, Need
from penstock.kernel.nodes import Node, Program, Scope
from penstock.kernel.problems import Parked, TaskFault
from penstock.kernel.scope import find_variables
from penstock.kernel.state import (
    ENDED,
    TRANSITIONS,
    CallWork,
    Frame,
    ListenWork,
    OfferedWork,
    RunState,
    RunStatus,
    ThenWork,
)
from penstock.kernel.tasks.registry import KINDS
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_EXPRESSION_BYTES_PER_STEP, MAX_ROUNDS_PER_STEP, MAX_TASKS_PER_STEP

ROOT = 0
"""The entry of the workflow itself."""


class Machine:
    """One step at work. Task kinds act through its methods; nothing else may change frames."""

    def __init__(self, program: Program, state: RunState, at: int, answers: Answers) -> None:
        self.program = program
        self.state = state
        self.at = max(at, state.updated_at)
        self.answers = answers
        self.frames = dict(state.frames)
        self.context = state.context
        self.keys = dict(state.keys)
        self.status: RunStatus = state.status
        self.output = state.output
        self.error = state.error
        self.resume = state.resume
        self.commands: list[Command] = []
        self.facts: list[Fact] = []
        self.needs: list[Need] = []
        self.unknown_calls: dict[str, str] = {}
        self.released: set[tuple[int, str]] = set()
        self.next_entry = state.next_entry
        self._queue: deque[int] = deque(state.runnable)
        self._parked: list[int] = []
        self._waiting: set[tuple[int, str]] = set()
        self._rounds = state.rounds
        self._entered = 0
        self._spent = 0
        if state.parked:
            self._queue = deque(state.parked)
            self.released = {(entry, phase) for entry, phase, _ in answers}

    # What the interpreter does with a machine

    def run(self) -> bool:
        """Goes on until nothing is runnable or the budget is used; False if evaluations are needed first."""
        while True:
            self._run_round()
            if self._queue or not self._parked:
                break
            if self.needs:
                return False
            self._rounds += 1
            if self._rounds >= MAX_ROUNDS_PER_STEP:
                break
            self.released |= self._waiting
            self._waiting.clear()
            self._queue.extend(self._parked)
            self._parked.clear()
            self._entered = self._spent = 0
        self._queue.extend(self._parked)
        self._parked.clear()
        self.needs.clear()
        return True

    def freeze(self, *, finished: bool) -> RunState:
        """The state after the step, or after this part of it."""
        status = self._status()
        if status != self.state.status and status not in TRANSITIONS[self.state.status]:
            raise AssertionError(f"a run that is {self.state.status} cannot become {status}")
        ended = status in ENDED
        return msgspec.structs.replace(
            self.state,
            version=self.state.version + 1 if finished else self.state.version,
            status=status,
            context=self.context,
            keys=self.keys,
            updated_at=self.at,
            next_entry=self.next_entry,
            frames={} if ended else self.frames,
            runnable=() if ended else tuple(self._queue),
            parked=() if finished else tuple(self._parked),
            rounds=0 if finished else self._rounds + 1,
            output=self.output,
            error=self.error,
            resume=self.resume,
            ended_at=self.at if ended else 0,
        )

    # What task kinds use

    def node(self, frame: Frame) -> Node:
        return self.program.nodes[frame.node]

    def change(self, frame: Frame, **changes: object) -> Frame:
        """The frame with changes, put in its place."""
        changed = msgspec.structs.replace(frame, **changes)
        self.frames[frame.entry] = changed
        return changed

    def go_on(self, frame: Frame, phase: str) -> None:
        """Lets the frame go on in `phase`, after those that are runnable already."""
        self.change(frame, phase=phase)
        self._queue.append(frame.entry)

    def enter(
        self, parent: Frame, node_id: int, raw: Value, *, path: tuple[int, ...], context: Value | None = None
    ) -> Frame:
        """A new task run under `parent`."""
        node = self.program.nodes[node_id]
        frame = Frame(
            entry=self.next_entry,
            parent=parent.entry,
            node=node_id,
            phase="enter",
            raw=raw,
            started_at=self.at,
            path=path,
            context=context,
        )
        self.next_entry += 1
        self._entered += 1
        self.frames[frame.entry] = frame
        self._queue.append(frame.entry)
        self.record("task.created", frame, node)
        return frame

    def start_list(self, parent: Frame, scope: Scope, raw: Value, *, path: tuple[int, ...] | None = None) -> bool:
        """Enters the first task of a list; False if the list is empty."""
        if not scope.nodes:
            return False
        self.enter(parent, scope.nodes[0], raw, path=parent.path if path is None else path)
        return True

    def complete(self, entry: int, output: Value, then: str | None = None) -> None:
        """The body has ended with this raw output; `then` overrides the task's own directive."""
        frame = self.frames[entry]
        work = None if then is None else ThenWork(then)
        self.change(frame, phase="output", output=output, work=work, wake_at=0, deadline_at=0)
        self._queue.appendleft(entry)  # not at once: nested tasks may end thousands deep

    def leave(self, frame: Frame, output: Value, directive: str) -> None:
        """The task run is over and recorded; the next task, or the parent, goes on."""
        del self.frames[frame.entry]
        scope = self.node(frame).scope
        parent = self.frames[frame.parent]
        if directive == "end":
            self.cancel_children(ROOT)
            self.complete(ROOT, output)
            return
        following = None if scope is None else _following(scope, self.node(frame), directive)
        if following is not None:
            self.enter(parent, following, output, path=frame.path)
        else:
            KINDS[self.node(parent).kind].child_done(self, parent, frame, output)

    def fail(self, entry: int, fault: Fault) -> None:
        """The task run fails: what it does is withdrawn, and its parents learn of it until one handles it."""
        while (frame := self.frames.get(entry)) is not None:
            node = self.node(frame)
            if not fault.instance:
                fault = msgspec.structs.replace(fault, instance=node.pointer or "/")
            self.cancel_children(entry)
            self._withdraw(frame, outcome_unknown=fault.unknown_outcome)
            del self.frames[entry]
            if entry == ROOT:
                self.end("faulted", error=fault)
                return
            self.record("task.faulted", frame, node, fault=fault)
            parent = self.frames[frame.parent]
            if KINDS[self.node(parent).kind].child_failed(self, parent, frame, fault):
                return
            entry = parent.entry

    def end(self, status: RunStatus, *, output: Value | None = None, error: Fault | None = None) -> None:
        """The run has ended."""
        self.status, self.output, self.error = status, output, error
        self.frames.clear()
        self._queue.clear()
        self._parked.clear()
        self.needs.clear()
        data_flow.report_end(self)

    def cancel_children(self, entry: int) -> None:
        """Cancels every task run below this one, the deepest first."""
        below: set[int] = {entry}
        doomed: list[Frame] = []
        for frame in self.frames.values():  # a parent always stands before its children
            if frame.parent in below and frame.entry != entry:
                below.add(frame.entry)
                doomed.append(frame)
        for frame in reversed(doomed):
            self._withdraw(frame, outcome_unknown=True)
            del self.frames[frame.entry]
            self.record("task.cancelled", frame, self.node(frame))

    def record(
        self,
        type_: FactType,
        frame: Frame | None = None,
        node: Node | None = None,
        *,
        output: Value | None = None,
        fault: Fault | None = None,
        context: Value | None = None,
        detail: Json = None,
    ) -> None:
        """Adds a fact, of a task run or of the run itself."""
        if frame is None or node is None:
            self.facts.append(Fact(type_, self.at, output=output, fault=fault, context=context, detail=detail))
            return
        self.facts.append(
            Fact(
                type_,
                self.at,
                frame.entry,
                node.pointer,
                node.name,
                frame.path,
                frame.attempt,
                output,
                fault,
                context,
                detail,
            )
        )

    def record_all(self, type_: FactType) -> None:
        """Adds a fact of every live task run."""
        for frame in self.frames.values():
            if frame.entry != ROOT:
                self.record(type_, frame, self.node(frame))

    def variables(self, frame: Frame, names: Collection[str], output: Value | None = None) -> dict[str, Value]:
        """The values of those variables that are defined here; secrets never are."""
        return find_variables(self, frame, names, output)

    def provided(self, frame: Frame, name: str) -> Value | None:
        """A variable of the loops, catches and listeners around; a function sees none of its caller's."""
        current: Frame | None = frame
        while current is not None:
            node = self.node(current)
            if name in node.provides:
                value = KINDS[node.kind].variable(self, current, name)
                if value is not None:
                    return value
            if current.entry == ROOT or (current is not frame and node.kind == "call"):
                return None
            current = self.frames.get(current.parent)
        return None

    def authorization(self, frame: Frame) -> tuple[Json, tuple[Deferred, ...]]:
        """The authentication of a call, for `$authorization`; (None, ()) if the task has none."""
        return KINDS[self.node(frame).kind].authorization(self, frame)

    def context_of(self, frame: Frame) -> Value:
        """`$context` as this frame sees it: of its branch, else of the run."""
        holder = self._context_holder(frame)
        return self.context if holder is None or holder.context is None else holder.context

    def export(self, frame: Frame, context: Value) -> None:
        """Replaces the context that this frame sees."""
        holder = self._context_holder(frame)
        if holder is None:
            self.context = context
        else:
            self.change(holder, context=context)

    def await_answers(self, entry: int, phase: str, needs: list[Need]) -> None:
        """Notes what a frame asks for; it goes on in the next round."""
        self.needs.extend(needs)
        self._waiting.add((entry, phase))

    def call_place(self, frame: Frame) -> str:
        """Names a call independently of how often it was entered: reference and iteration path."""
        return f"{self.node(frame).pointer}#{','.join(map(str, frame.path))}"

    def spend(self, size: int) -> None:
        """Counts bytes against the budget of this step."""
        self._spent += size

    def proceed(self, entry: int) -> None:
        """Lets a frame go on at once; what goes wrong is its own fault."""
        frame = self.frames.get(entry)
        if frame is None:
            return
        try:
            self._advance(frame)
        except Parked:
            self._parked.append(entry)
        except TaskFault as problem:
            self.fail(entry, problem.fault)

    # Inside

    def _run_round(self) -> None:
        if self.status == "suspended":
            return
        while self._queue and self._entered < MAX_TASKS_PER_STEP and self._spent < MAX_EXPRESSION_BYTES_PER_STEP:
            self.proceed(self._queue.popleft())

    def _advance(self, frame: Frame) -> None:
        node = self.node(frame)
        kind = KINDS[node.kind]
        if frame.phase == "enter":
            entered = data_flow.enter(self, frame, node)
            if entered is None:
                return
            frame = entered
        match frame.phase:
            case "body":
                kind.begin(self, frame)
            case "output":
                data_flow.finish(self, frame, node)
            case _:
                kind.proceed(self, frame)

    def _withdraw(self, frame: Frame, *, outcome_unknown: bool) -> None:
        match frame.work:
            case CallWork(invoke=invoke):
                self.commands.append(CancelCall(invoke.call_id))
                if outcome_unknown:
                    self.unknown_calls[self.call_place(frame)] = invoke.call_id
            case ListenWork():
                self.commands.append(Unsubscribe(frame.entry))
            case OfferedWork(invoke=invoke):
                KINDS[self.node(frame).kind].cancel(self, frame)
                if outcome_unknown:
                    self.unknown_calls[self.call_place(frame)] = invoke.call_id
            case _:
                KINDS[self.node(frame).kind].cancel(self, frame)

    def _context_holder(self, frame: Frame) -> Frame | None:
        current: Frame | None = frame
        while current is not None and current.context is None:
            current = self.frames.get(current.parent) if current.entry != ROOT else None
        return current

    def _status(self) -> RunStatus:
        if self.status in ENDED or self.status == "suspended":
            return self.status
        if self._queue or self._parked:
            return "running"
        waits = False
        for frame in self.frames.values():
            if frame.phase in ("calling", "child"):
                return "running"
            if frame.wake_at or frame.phase == "listening":
                waits = True
        return "waiting" if waits else "running"


def _following(scope: Scope, node: Node, directive: str) -> int | None:
    """The task that a directive leads to within its list; None when the list is over."""
    if directive == "exit":
        return None
    position = scope.positions.get(directive, node.position + 1) if directive != "continue" else node.position + 1
    return scope.nodes[position] if position < len(scope.nodes) else None
