"""The workflow itself, as the outermost task: its `do` list, input, output and time-out."""

from typing import TYPE_CHECKING

from penstock.kernel.nodes import Node, Scope
from penstock.kernel.state import Frame
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.values import NULL, Value

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


class RootKind(TaskKind[object]):
    def compile(self, compiler: "Compiler", node: Node, task: object) -> Scope:
        raise AssertionError("the compiler builds the root itself")

    def begin(self, machine: "Machine", frame: Frame) -> None:
        scope = machine.node(frame).spec
        assert isinstance(scope, Scope)
        resume = machine.resume
        if resume is not None:
            machine.resume = None
            name = resume.reference.rsplit("/", 1)[-1].replace("~1", "/").replace("~0", "~")
            if name in scope.positions:
                machine.enter(frame, scope.nodes[scope.positions[name]], resume.input, path=())
                machine.change(frame, phase="inside")
                return
        value = frame.input or NULL
        if machine.start_list(frame, scope, value):
            machine.change(frame, phase="inside")
        else:
            machine.complete(frame.entry, value)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        machine.complete(frame.entry, output)
