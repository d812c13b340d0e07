"""The kinds that end at once: `set`, `switch`, `raise`, `emit`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import Fault, canonical_error_type
from penstock.expressions.text import to_text
from penstock.kernel.commands import PublishEvent
from penstock.kernel.evaluation import checked_value, evaluate, is_true
from penstock.kernel.ids import derived_id
from penstock.kernel.instants import rfc3339
from penstock.kernel.nodes import Formula, Node
from penstock.kernel.problems import expression_fault, validation_fault
from penstock.kernel.state import Frame
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.values import NULL
from penstock.model.json_value import Json
from penstock.model.tasks import EmitTask, RaiseTask, SetTask, SwitchTask

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


class SetKind(TaskKind[SetTask]):
    """Output: the value, evaluated."""

    def compile(self, compiler: "Compiler", node: Node, task: SetTask) -> Formula:
        return compiler.formula(task.value, f"{node.pointer}/set", bare=isinstance(task.value, str))

    def begin(self, machine: "Machine", frame: Frame) -> None:
        formula = machine.node(frame).spec
        assert isinstance(formula, Formula)
        machine.complete(frame.entry, evaluate(machine, frame, "set", formula, frame.input or NULL))


@dataclass(frozen=True, slots=True)
class SwitchSpec:
    """The cases with a condition, in order, by their place in the document; and the `then` of the one without."""

    cases: tuple[tuple[int, Formula, str], ...]
    default: str | None


class SwitchKind(TaskKind[SwitchTask]):
    """The first case in order whose condition holds; else the case without one, wherever it stands; else the task's
    own `then`. Output: the input."""

    def compile(self, compiler: "Compiler", node: Node, task: SwitchTask) -> SwitchSpec:
        pointer = f"{node.pointer}/switch"
        return SwitchSpec(
            cases=tuple(
                (i, compiler.formula(c.when, f"{pointer}/{i}/{c.name}/when", bare=True), c.then)
                for i, c in enumerate(task.cases)
                if c.when is not None
            ),
            default=next((c.then for c in task.cases if c.when is None), None),
        )

    def begin(self, machine: "Machine", frame: Frame) -> None:
        spec = machine.node(frame).spec
        assert isinstance(spec, SwitchSpec)
        value, chosen = frame.input or NULL, spec.default
        for index, when, then in spec.cases:
            if is_true(machine, frame, f"switch/{index}/when", when, value):
                chosen = then
                break
        machine.complete(frame.entry, value, then=chosen)


class RaiseKind(TaskKind[RaiseTask]):
    """Fails with the error that the document defines."""

    def compile(self, compiler: "Compiler", node: Node, task: RaiseTask) -> Formula:
        error = {k: v for k, v in msgspec.structs.asdict(task.error).items() if v != ""}
        return compiler.formula(error, f"{node.pointer}/raise/error")

    def begin(self, machine: "Machine", frame: Frame) -> None:
        formula = machine.node(frame).spec
        assert isinstance(formula, Formula)
        error = evaluate(machine, frame, "raise/error", formula, frame.input or NULL).data
        machine.fail(
            frame.entry,
            Fault(
                type=canonical_error_type(_text_of(error, "type")),
                status=error["status"],
                title=_text_of(error, "title"),
                detail=_text_of(error, "detail"),
                instance=_text_of(error, "instance"),
            ),
        )


def _text_of(error: dict[str, Json], member: str) -> str:
    """A member of an error to raise. What an expression could not find, or gave as a number, must not hide the
    error itself behind another one: null leaves the member out, other scalars become text."""
    match error.get(member):
        case str() as text:
            return text
        case None if member != "type":
            return ""
        case bool() | int() | float() as scalar if member != "type":
            return to_text(scalar)
        case other:
            raise expression_fault(f"raise/error/{member}", f"must give a string, not {other!r}")


class EmitKind(TaskKind[EmitTask]):
    """Publishes an event; id, time and source are made when the author gives none. Output: the event."""

    def compile(self, compiler: "Compiler", node: Node, task: EmitTask) -> Formula:
        return compiler.formula(task.event, f"{node.pointer}/emit/event/with")

    def begin(self, machine: "Machine", frame: Frame) -> None:
        formula = machine.node(frame).spec
        assert isinstance(formula, Formula)
        written = evaluate(machine, frame, "emit", formula, frame.input or NULL).data
        event = checked_value(machine, _complete_event(machine, frame, written), "emit")
        machine.commands.append(PublishEvent(event))
        machine.complete(frame.entry, event)


def _complete_event(machine: "Machine", frame: Frame, written: dict[str, Json]) -> dict[str, Json]:
    """Attributes that are null are left out, as CloudEvents has them; data may be null."""
    identity = machine.program.identity
    given = {name: value for name, value in written.items() if value is not None or name == "data"}
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": derived_id(machine.at, machine.state.run_id, frame.entry, "event"),
        "source": f"/{identity.namespace}/{identity.name}/{identity.version}",
        "time": rfc3339(machine.at),
        **given,
    }
    for name in ("id", "source", "type", "time", "subject", "datacontenttype", "dataschema"):
        # The reader demands a type: if there is none, its expression gave null.
        if (name in event or name == "type") and not (isinstance(event.get(name), str) and event[name]):
            raise validation_fault(f"emit/event/with/{name}", f"must be a non-empty string, not {event.get(name)!r}")
    if event["specversion"] != "1.0":
        raise validation_fault("emit/event/with/specversion", f'must be "1.0", not {event["specversion"]!r}')
    for name, value in event.items():
        if name != "data" and not isinstance(value, str | bool | int):
            raise validation_fault(f"emit/event/with/{name}", f"must be a text, an integer or a boolean, not {value!r}")
    if "data" in event:
        event.setdefault("datacontenttype", "application/json")
    return event
