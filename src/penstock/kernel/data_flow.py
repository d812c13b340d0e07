"""What happens around the body of every task, and of the workflow itself, in the order of the DSL.

Before: `if` on the raw input, `input.schema`, `input.from`, the time-out. After: `output.as`, `output.schema`,
`export.as`, `export.schema`. (DSL reference, "Data Flow")
"""

from typing import TYPE_CHECKING

from penstock.errors import RUNTIME, Fault
from penstock.expressions import Schema
from penstock.kernel.commands import SendMessage
from penstock.kernel.evaluation import evaluate, evaluate_delay, is_true
from penstock.kernel.messages import ChildFinished
from penstock.kernel.nodes import Node
from penstock.kernel.problems import fault_of, validation_fault
from penstock.kernel.state import Frame, ThenWork
from penstock.kernel.values import Value

if TYPE_CHECKING:
    from penstock.kernel.machine import Machine


def enter(machine: "Machine", frame: Frame, node: Node) -> Frame | None:
    """Shapes the input; the frame ready for its body, or None if the task is skipped."""
    if node.condition is not None and not is_true(machine, frame, "if", node.condition, frame.raw):
        machine.record("task.skipped", frame, node)
        machine.leave(frame, frame.raw, node.then)
        return None
    _validate(node.input_schema, frame.raw, "input.schema")
    value = frame.raw
    if node.input_from is not None:
        value = evaluate(machine, frame, "input.from", node.input_from, frame.raw)
    if node.timeout is not None and not frame.deadline_at:
        frame = machine.change(frame, input=value)
        after = evaluate_delay(machine, frame, "timeout", node.timeout, value)
        frame = machine.change(frame, deadline_at=machine.at + after)
    frame = machine.change(frame, input=value, phase="body", started_at=machine.at)
    if frame.entry != 0:
        machine.record("task.started", frame, node)
    return frame


def finish(machine: "Machine", frame: Frame, node: Node) -> None:
    """Shapes the output, exports, and leaves the task."""
    raw = frame.output
    if raw is None:
        raise AssertionError("a frame in phase output has an output")
    output = raw
    if node.output_as is not None:
        output = evaluate(machine, frame, "output.as", node.output_as, raw)
    _validate(node.output_schema, output, "output.schema")
    context: Value | None = None
    if node.export_as is not None:
        context = evaluate(machine, frame, "export.as", node.export_as, output, output=output)
        _validate(node.export_schema, context, "export.schema")
    if frame.entry == 0:
        machine.end("completed", output=output)
        return
    if context is not None:
        machine.export(frame, context)
    machine.record("task.completed", frame, node, output=output, context=context)
    directive = frame.work.then if isinstance(frame.work, ThenWork) else node.then
    machine.leave(machine.frames[frame.entry], output, directive)


def report_end(machine: "Machine") -> None:
    """Records how the run ended and tells the run that waits for it."""
    state, error = machine.state, machine.error
    match machine.status:
        case "completed":
            machine.record("run.completed", output=machine.output)
        case "faulted":
            machine.record("run.faulted", fault=error)
        case _:
            machine.record("run.cancelled")
            error = fault_of(RUNTIME, f"the run {state.run_id} was cancelled")
    parent = state.parent
    if parent is not None and parent.awaited:
        answer = ChildFinished(
            at=machine.at,
            child_id=state.run_id,
            entry=parent.entry,
            output=machine.output,
            fault=_for_parent(error),
        )
        machine.commands.append(SendMessage(parent.run_id, answer))


def _for_parent(error: Fault | None) -> Fault | None:
    """The child's fault as the parent's task raises it: same problem, but the instance is the parent's own task."""
    if error is None:
        return None
    return Fault(error.type, error.status, error.title, error.detail, extra=error.extra)


def _validate(schema: Schema | None, value: Value, where: str) -> None:
    if schema is None:
        return
    reason = schema.validate(value.data)
    if reason is not None:
        raise validation_fault(where, reason)
