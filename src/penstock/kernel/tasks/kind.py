"""What a task kind must offer. A kind holds no state: everything it remembers is in the frame's `work`.

Rules for the methods: evaluation may park the frame and run the same method again, so evaluate before anything
that has an effect. `child_done` and `child_failed` must not evaluate: they set the frame and let it go on.
"""

from typing import TYPE_CHECKING, Generic, TypeVar

from penstock.errors import Fault
from penstock.kernel.commands import Deferred
from penstock.kernel.nodes import Node
from penstock.kernel.state import Frame
from penstock.kernel.values import Value
from penstock.model.json_value import Json

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


TaskT_contra = TypeVar("TaskT_contra", contravariant=True)


class TaskKind(Generic[TaskT_contra]):
    """The default behaviour: a task without children that nothing can wake."""

    def compile(self, compiler: "Compiler", node: Node, task: TaskT_contra) -> object:
        """The kind's part of the node (`Node.spec`)."""
        raise NotImplementedError

    def begin(self, machine: "Machine", frame: Frame) -> None:
        """The task has its input: run the body until it ends or waits. Frame phase: `body`."""
        raise NotImplementedError

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        """Goes on in a phase of its own, after an evaluation, a child or an answer."""
        raise AssertionError(f"{frame.phase!r} is no phase of this kind")

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        """The last task of a list, or a branch, has completed."""
        raise AssertionError("this kind has no children")

    def child_failed(self, machine: "Machine", frame: Frame, child: Frame, fault: Fault) -> bool:
        """A child has failed and is gone. True if this task handles it; else it fails with the same fault."""
        return False

    def wake(self, machine: "Machine", frame: Frame) -> None:
        """`wake_at` has come; it is 0 again already."""
        raise AssertionError("this kind does not sleep")

    def variable(self, machine: "Machine", frame: Frame, name: str) -> Value | None:
        """The value of a variable that `Node.provides` names, for the tasks inside; None when it is not set now."""
        return None

    def authorization(self, machine: "Machine", frame: Frame) -> tuple[Json, tuple[Deferred, ...]]:
        """What `$authorization` is made from: the authentication (shape A of `Invoke`) and what of it is deferred."""
        return None, ()

    def cancel(self, machine: "Machine", frame: Frame) -> None:
        """The frame is going away unfinished: withdraw what it asked of the world."""
