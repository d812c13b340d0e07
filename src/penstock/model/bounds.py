"""The worst case of a workflow, computed before it runs: steps, calls and time.

Sound, not tight: a run never exceeds a number; None says that there is no such number, and the reasons say
why. A step is one entry into a task; a call is one attempt that a capability or an address sees, not counting
that an unknown outcome is sent again under its key. Time is what the workflow itself allows its calls, waits
and back-offs; a suspended run, a stopped engine and the engine's own work are not in it.
"""

from typing import Final, assert_never

import msgspec

from penstock.model.limits import CALL_TIMEOUT_MS, MAX_LISTEN_EVENTS
from penstock.model.plain_data import is_list
from penstock.model.quantities import (
    Cost,
    Quantity,
    at_most,
    exactly,
    in_sequence,
    most,
    repeated,
    unknown,
)
from penstock.model.retry_cost import retried
from penstock.model.tasks import (
    CallFunction,
    CallTask,
    Catch,
    DoTask,
    EmitTask,
    ForkTask,
    ForTask,
    ListenTask,
    NamedTask,
    RaiseTask,
    RunProcess,
    RunTask,
    SetTask,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
    WaitTask,
)
from penstock.model.workflow import Workflow

_STEP: Final = Cost(Quantity(1), Quantity(0), Quantity(0))
_NOTHING: Final = Cost(Quantity(0), Quantity(0), Quantity(0))
_CALL: Final = Cost(Quantity(1), Quantity(1), Quantity(CALL_TIMEOUT_MS))


class Bounds(msgspec.Struct, frozen=True):
    """`reasons` explain every None, and are empty when there is none."""

    steps: int | None
    calls: int | None
    time_ms: int | None
    reasons: tuple[str, ...] = ()


def bounds(workflow: Workflow) -> Bounds:
    """The worst case of one run. Child workflows count as unknown unless they are not awaited."""
    cost = _Estimate(workflow).of_list(workflow.do)
    time_ms = at_most(cost.time_ms, workflow.timeout.ms if workflow.timeout else None)
    reasons = dict.fromkeys((*cost.steps.reasons, *cost.calls.reasons, *time_ms.reasons))
    return Bounds(cost.steps.value, cost.calls.value, time_ms.value, tuple(reasons))


class _Estimate:
    """Functions are estimated once each, so that shared ones do not multiply the work."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._functions: dict[str, Cost] = {}
        self._entered: set[str] = set()

    def of_list(self, tasks: TaskList) -> Cost:
        cost = in_sequence(self.of_task(named.task, named.pointer) for named in tasks)
        looping = _jump_back(tasks)
        if looping is None:
            return cost
        endless = unknown(f"{looping.pointer} jumps back by 'then'")
        return Cost(endless, endless if cost.calls.value != 0 else cost.calls, endless)

    def of_task(self, task: Task, pointer: str) -> Cost:
        cost = self._inside(task, pointer)
        limit = task.timeout.ms if task.timeout else None
        return Cost(cost.steps, cost.calls, at_most(cost.time_ms, limit))

    def _inside(self, task: Task, pointer: str) -> Cost:
        match task:
            case SetTask() | SwitchTask() | RaiseTask() | EmitTask():
                return _STEP
            case DoTask():
                return in_sequence((_STEP, self.of_list(task.do)))
            case ForTask():
                return in_sequence((_STEP, repeated(_iterations(task, pointer), self.of_list(task.do))))
            case ForkTask():
                return self._fork(task)
            case TryTask():
                attempts = retried(self.of_list(task.try_), task.catch.retry, pointer)
                return in_sequence((_STEP, attempts, self.of_list(task.catch.do or ())))
            case WaitTask():
                ms = task.wait.ms
                wait = unknown(f"{pointer} waits for a computed time") if ms is None else exactly(ms)
                return Cost(_STEP.steps, _STEP.calls, wait)
            case ListenTask():
                return self._listen(task, pointer)
            case RunTask():
                return _run(task, pointer)
            case CallTask():
                return self._call(task, pointer)
            case _:
                assert_never(task)

    def _fork(self, task: ForkTask) -> Cost:
        branches = [self.of_task(branch.task, branch.pointer) for branch in task.branches]
        together = in_sequence((_STEP, *branches))
        return Cost(together.steps, together.calls, most(branch.time_ms for branch in branches))

    def _listen(self, task: ListenTask, pointer: str) -> Cost:
        strategy = task.to
        if strategy.mode == "all":
            events = len(strategy.filters)
        elif strategy.mode == "one" or not (strategy.until or strategy.until_strategy or strategy.forever):
            events = 1
        else:
            events = MAX_LISTEN_EVENTS
        each = self.of_list(task.foreach.do or ()) if task.foreach else _NOTHING
        cost = in_sequence((_STEP, repeated(Quantity(events), each)))
        return Cost(cost.steps, cost.calls, unknown(f"{pointer} listens without a timeout"))

    def _call(self, task: CallTask, pointer: str) -> Cost:
        call = task.call
        if isinstance(call, CallFunction) and call.name in self._workflow.use.functions:
            return in_sequence((_STEP, self._function(call.name)))
        if task.timeout is None:
            return _CALL
        ms = task.timeout.ms
        time_ms = unknown(f"{pointer} has a computed timeout") if ms is None else exactly(ms)
        return Cost(_CALL.steps, _CALL.calls, time_ms)

    def _function(self, name: str) -> Cost:
        if name in self._entered:
            endless = unknown(f"the function {name[:100]!r} calls itself")
            return Cost(endless, endless, endless)
        if name not in self._functions:
            self._entered.add(name)
            self._functions[name] = self.of_task(self._workflow.use.functions[name], f"/use/functions/{name}")
            self._entered.discard(name)
        return self._functions[name]


def _iterations(task: ForTask, pointer: str) -> Quantity:
    if is_list(task.in_):
        return exactly(len(task.in_))
    return unknown(f"{pointer} goes over data of unknown length")


def _run(task: RunTask, pointer: str) -> Cost:
    if isinstance(task.run, RunProcess):
        return Cost(_STEP.steps, Quantity(1), unknown(f"{pointer} runs a process without a timeout"))
    if not task.await_:
        return _STEP
    child = unknown(f"{pointer} runs another workflow, which has bounds of its own")
    return Cost(child, child, child)


def _jump_back(tasks: TaskList) -> NamedTask | None:
    """The first task of a list that may go on with itself or an earlier one."""
    places = {named.name: index for index, named in enumerate(tasks)}
    for index, named in enumerate(tasks):
        if any(places.get(target, index + 1) <= index for target in _targets(named.task)):
            return named
    return None


def _targets(task: Task) -> tuple[str, ...]:
    """The tasks or directives with which a task may go on."""
    match task:
        case SwitchTask():
            return (task.then, *(case.then for case in task.cases))
        case TryTask(catch=Catch(then=str(then))):
            return (task.then, then)
        case _:
            return (task.then,)
