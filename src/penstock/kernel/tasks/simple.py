"""The kinds that end at once: `set`, `switch`, `raise`, `emit`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import Fault, canonical_error_type
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
        for member in ("type", "title", "detail", "instance"):
            if not isinstance(error.get(member, ""), str):
                raise expression_fault(f"raise/error/{member}", f"must give a string, not {error[member]!r}")
        machine.fail(
            frame.entry,
            Fault(
                type=canonical_error_type(error["type"]),
                status=error["status"],
                title=error.get("title", ""),
                detail=error.get("detail", ""),
                instance=error.get("instance", ""),
            ),
        )


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
    identity = machine.program.identity
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": derived_id(machine.at, machine.state.run_id, frame.entry, "event"),
        "source": f"/{identity.namespace}/{identity.name}/{identity.version}",
        "time": rfc3339(machine.at),
        **written,
    }
    for name in ("id", "source", "type", "time", "subject", "datacontenttype", "dataschema"):
        if name in event and (not isinstance(event[name], str) or not event[name]):
            raise validation_fault(f"emit/event/with/{name}", f"must be a non-empty string, not {event[name]!r}")
    if "data" in event:
        event.setdefault("datacontenttype", "application/json")
    return event
