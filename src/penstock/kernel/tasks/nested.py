"""The kinds that hold lists of tasks without catching anything: `do`, `for`, `fork`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.kernel.evaluation import checked_value, evaluate, is_true
from penstock.kernel.nodes import Formula, Node, Scope
from penstock.kernel.problems import expression_fault, runtime_fault
from penstock.kernel.state import ForkWork, ForWork, Frame
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.values import NULL, Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_FRAMES
from penstock.model.plain_data import is_list, is_map
from penstock.model.tasks import DoTask, ForkTask, ForTask

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


class DoKind(TaskKind[DoTask]):
    """Its tasks in sequence. Output: of the last one; of an empty list the input."""

    def compile(self, compiler: "Compiler", node: Node, task: DoTask) -> Scope:
        return compiler.scope(task.do)

    def begin(self, machine: "Machine", frame: Frame) -> None:
        scope = machine.node(frame).spec
        assert isinstance(scope, Scope)
        value = frame.input or NULL
        if machine.start_list(frame, scope, value):
            machine.change(frame, phase="inside")
        else:
            machine.complete(frame.entry, value)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        machine.complete(frame.entry, output)


@dataclass(frozen=True, slots=True)
class ForSpec:
    items: Formula
    condition: Formula | None
    each: str
    at: str
    scope: Scope


class ForKind(TaskKind[ForTask]):
    """Its tasks once per item; each iteration gets the output of the one before. `while` is asked before each."""

    def compile(self, compiler: "Compiler", node: Node, task: ForTask) -> ForSpec:
        node.provides = (task.each, task.at)
        return ForSpec(
            items=compiler.formula(task.in_, f"{node.pointer}/for/in", bare=isinstance(task.in_, str)),
            condition=None
            if task.while_ is None
            else compiler.formula(task.while_, f"{node.pointer}/while", bare=True),
            each=task.each,
            at=task.at,
            scope=compiler.scope(task.do),
        )

    def begin(self, machine: "Machine", frame: Frame) -> None:
        spec = _for_spec(machine, frame)
        value = frame.input or NULL
        items = evaluate(machine, frame, "for/in", spec.items, value)
        if not is_list(items.data):
            raise expression_fault("for/in", f"must give an array, not {_kind_of(items.data)}")
        if not items.data or not spec.scope.nodes:
            machine.complete(frame.entry, value)
            return
        machine.change(frame, work=ForWork(items, 0), output=value, phase="next")
        machine.proceed(frame.entry)

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        spec, work, value = _for_spec(machine, frame), frame.work, frame.output or NULL
        assert isinstance(work, ForWork)
        if work.index >= len(work.items.data):
            machine.complete(frame.entry, value)
            return
        if spec.condition is not None:
            goes_on = is_true(machine, frame, f"while/{work.index}", spec.condition, value)
            if not goes_on:
                machine.complete(frame.entry, value)
                return
        machine.change(frame, phase="inside")
        machine.start_list(frame, spec.scope, value, path=(*frame.path, work.index))

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        work = frame.work
        assert isinstance(work, ForWork)
        frame = machine.change(frame, work=ForWork(work.items, work.index + 1), output=output)
        machine.go_on(frame, "next")

    def variable(self, machine: "Machine", frame: Frame, name: str) -> Value | None:
        spec, work = _for_spec(machine, frame), frame.work
        if not isinstance(work, ForWork) or work.index >= len(work.items.data):
            return None
        return Value(work.index) if name == spec.at else Value(work.items.data[work.index])


@dataclass(frozen=True, slots=True)
class ForkSpec:
    branches: tuple[int, ...]
    compete: bool


class ForkKind(TaskKind[ForkTask]):
    """Its branches at the same time, each with the task's input.

    Output: the branches' outputs in the order of declaration; with `compete` the output of the first that ends,
    the others are cancelled. A branch that fails fails the fork. Each branch has its own copy of the context: at
    the join the members that a branch changed are merged in the order of declaration; with `compete` the winner's
    context replaces it (docs/dsl-decisions.md).
    """

    def compile(self, compiler: "Compiler", node: Node, task: ForkTask) -> ForkSpec:
        return ForkSpec(tuple(compiler.branch(branch) for branch in task.branches), task.compete)

    def begin(self, machine: "Machine", frame: Frame) -> None:
        branches = _fork_spec(machine, frame).branches
        value = frame.input or NULL
        if not branches:
            machine.complete(frame.entry, Value([]))
            return
        if len(machine.frames) + len(branches) > MAX_FRAMES:
            raise runtime_fault(f"more than {MAX_FRAMES} tasks would be alive at once in this run")
        empty = (None,) * len(branches)
        frame = machine.change(frame, work=ForkWork(empty, empty, len(branches)), phase="inside")
        context = machine.context_of(frame)
        for branch in branches:
            machine.enter(frame, branch, value, path=frame.path, context=context)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        spec = _fork_spec(machine, frame)
        work = frame.work
        assert isinstance(work, ForkWork)
        before = machine.context_of(frame)
        exported = None if child.context is None or child.context == before else child.context
        if spec.compete:
            machine.cancel_children(frame.entry)
            if exported is not None:
                machine.export(frame, exported)
            machine.complete(frame.entry, output)
            return
        index = spec.branches.index(child.node)
        outputs = _with(work.outputs, index, output)
        contexts = _with(work.contexts, index, exported)
        frame = machine.change(frame, work=ForkWork(outputs, contexts, work.remaining - 1))
        if work.remaining > 1:
            return
        merged = _merge(before, contexts)
        if merged is not before:
            machine.export(frame, merged)
        machine.go_on(frame, "join")

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        work = frame.work
        assert isinstance(work, ForkWork)
        outputs = [None if value is None else value.data for value in work.outputs]
        machine.complete(frame.entry, checked_value(machine, outputs, "fork"))


def _for_spec(machine: "Machine", frame: Frame) -> ForSpec:
    spec = machine.node(frame).spec
    assert isinstance(spec, ForSpec)
    return spec


def _fork_spec(machine: "Machine", frame: Frame) -> ForkSpec:
    spec = machine.node(frame).spec
    assert isinstance(spec, ForkSpec)
    return spec


def _with(values: tuple[Value | None, ...], index: int, value: Value | None) -> tuple[Value | None, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _merge(before: Value, contexts: tuple[Value | None, ...]) -> Value:
    """The context after a join: members that a branch changed win over those before, later branches over earlier."""
    merged = before
    for context in contexts:
        if context is None:
            continue
        if is_map(merged.data) and is_map(context.data) and is_map(before.data):
            changed = {
                name: member
                for name, member in context.data.items()
                # As JSON: to Python, true equals 1.
                if name not in before.data or Value(before.data[name]) != Value(member)
            }
            merged = Value({**merged.data, **changed})
        else:
            merged = context
    return merged


def _kind_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case _:
            return "an object"
