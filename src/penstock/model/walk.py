"""Goes over every task of a workflow, nested ones, functions and extensions included."""

from collections.abc import Iterator
from typing import assert_never

from penstock.model import pointers
from penstock.model.tasks import (
    CallTask,
    DoTask,
    EmitTask,
    ForkTask,
    ForTask,
    ListenTask,
    RaiseTask,
    RunTask,
    SetTask,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
    WaitTask,
)
from penstock.model.workflow import Workflow


def sequences_of(workflow: Workflow) -> Iterator[TaskList]:
    """Every list whose tasks run one after the other; the branches of a fork are none."""
    yield workflow.do
    for extension in workflow.use.extensions:
        yield from (tasks for tasks in (extension.before, extension.after) if tasks is not None)
    for _, task in tasks_of(workflow):
        yield from _sequences_in(task)


def tasks_of(workflow: Workflow) -> Iterator[tuple[str, Task]]:
    """Every task with its pointer, each before what is nested in it."""
    yield from _tasks_in(workflow.do)
    for extension in workflow.use.extensions:
        yield from _tasks_in(extension.before or ())
        yield from _tasks_in(extension.after or ())
    for name, task in workflow.use.functions.items():
        yield from _with_nested(pointers.join("/use/functions", name), task)


def _tasks_in(tasks: TaskList) -> Iterator[tuple[str, Task]]:
    for named in tasks:
        yield from _with_nested(named.pointer, named.task)


def _with_nested(pointer: str, task: Task) -> Iterator[tuple[str, Task]]:
    yield pointer, task
    for tasks in _lists_in(task):
        yield from _tasks_in(tasks)


def _sequences_in(task: Task) -> tuple[TaskList, ...]:
    return () if isinstance(task, ForkTask) else _lists_in(task)


def _lists_in(task: Task) -> tuple[TaskList, ...]:
    match task:
        case DoTask() | ForTask():
            return (task.do,)
        case ForkTask():
            return (task.branches,)
        case TryTask():
            return (task.try_,) if task.catch.do is None else (task.try_, task.catch.do)
        case ListenTask():
            return (task.foreach.do,) if task.foreach and task.foreach.do else ()
        case SetTask() | SwitchTask() | RaiseTask() | WaitTask() | EmitTask() | RunTask() | CallTask():
            return ()
        case _:
            assert_never(task)
