"""Which variables an expression sees (DSL reference, "Runtime Expression Arguments").

The nearest loop, catch or listener around the task that provides a name wins, over the standard meaning too
(`for: {each: task}`). A function sees no variables of its caller.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from penstock import __version__
from penstock.kernel.instants import date_time
from penstock.kernel.state import Frame
from penstock.kernel.values import Value
from penstock.model.json_value import Json

if TYPE_CHECKING:
    from penstock.kernel.machine import Machine

STANDARD_VARIABLES: Final = frozenset(("context", "input", "output", "task", "workflow", "runtime"))


def find_variables(machine: "Machine", frame: Frame, names: Collection[str], output: Value | None) -> dict[str, Value]:
    """The values of those of `names` that are defined for this frame now."""
    found: dict[str, Value] = {}
    for name in names:
        value = machine.provided(frame, name) if name in machine.program.shadowed else None
        if value is None:
            value = _standard(machine, frame, name, output)
        if value is None:
            value = machine.provided(frame, name)
        if value is not None:
            found[name] = value
    return found


def _standard(machine: "Machine", frame: Frame, name: str, output: Value | None) -> Value | None:
    match name:
        case "context":
            return machine.context_of(frame)
        case "input":
            return frame.input
        case "output":
            return output
        case "task":
            return None if frame.entry == 0 else Value(_task(machine, frame))
        case "workflow":
            return Value(_workflow(machine))
        case "runtime":
            return Value({"name": "penstock", "version": __version__, "metadata": {}})
        case "__now":
            return Value(machine.at / 1000)
        case _:
            return None


def _task(machine: "Machine", frame: Frame) -> Json:
    node = machine.node(frame)
    return {
        "name": node.name,
        "reference": node.pointer,
        "definition": node.definition,
        "input": frame.raw.data,
        "output": None if frame.output is None else frame.output.data,
        "startedAt": date_time(frame.started_at),
    }


def _workflow(machine: "Machine") -> Json:
    return {
        "id": machine.state.run_id,
        "definition": machine.program.workflow.definition,
        "input": machine.state.input.data,
        "startedAt": date_time(machine.state.started_at),
    }
