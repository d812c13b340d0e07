"""`wait`: nothing happens for a while, and costs nothing."""

from typing import TYPE_CHECKING

from penstock.kernel.evaluation import evaluate_delay
from penstock.kernel.nodes import Delay, Node
from penstock.kernel.state import Frame
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.values import NULL
from penstock.model.tasks import WaitTask

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


class WaitKind(TaskKind[WaitTask]):
    """Output: the input."""

    def compile(self, compiler: "Compiler", node: Node, task: WaitTask) -> Delay:
        return compiler.delay(task.wait, f"{node.pointer}/wait")

    def begin(self, machine: "Machine", frame: Frame) -> None:
        delay = machine.node(frame).spec
        assert isinstance(delay, Delay)
        value = frame.input or NULL
        ms = evaluate_delay(machine, frame, "wait", delay, value)
        if ms == 0:
            machine.complete(frame.entry, value)
        else:
            machine.change(frame, phase="waiting", wake_at=machine.at + ms)

    def wake(self, machine: "Machine", frame: Frame) -> None:
        machine.complete(frame.entry, frame.input or NULL)
