"""Which tasks of a list can be reached by its flow directives."""

from penstock.model.tasks import NamedTask, RaiseTask, SwitchTask, Task, TaskList, TryTask


def unreachable(tasks: TaskList) -> list[NamedTask]:
    """The tasks that no path from the first one enters, in order. An error leaves the list: it is no path."""
    places = {named.name: index for index, named in enumerate(tasks)}
    reached: set[int] = set()
    pending = [0] if tasks else []
    while pending:
        index = pending.pop()
        if index in reached or index >= len(tasks):
            continue
        reached.add(index)
        for target in _targets(tasks[index].task):
            if target == "continue":
                pending.append(index + 1)
            elif target in places and target not in ("exit", "end"):
                pending.append(places[target])
    return [named for index, named in enumerate(tasks) if index not in reached]


def _targets(task: Task) -> list[str]:
    """Where a task may go on. One with `if` may be skipped, which leads to the next task or to its `then`."""
    targets = _targets_when_run(task)
    return targets if task.if_ is None else [*targets, task.then, "continue"]


def _targets_when_run(task: Task) -> list[str]:
    match task:
        case RaiseTask():
            return []
        case SwitchTask():
            targets = [case.then for case in task.cases]
            has_default = any(case.when is None for case in task.cases)
            return targets if has_default else [*targets, task.then]
        case TryTask() if task.catch.then is not None:
            return [task.then, task.catch.then]
        case _:
            return [task.then]
