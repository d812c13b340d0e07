"""States that the shell makes without the kernel: a run that has not begun, or that never could."""

from typing import Final

from msgspec.structs import replace

from penstock.errors import Fault
from penstock.kernel.facts import Fact
from penstock.kernel.messages import Started
from penstock.kernel.state import Frame, RunState, RunStatus
from penstock.kernel.values import EMPTY_OBJECT

ROOT: Final = 0
_PENDING: Final = "pending"


def pending_state(started: Started, begin_at: int) -> RunState:
    """A run that waits for its start: nothing but the frame of the workflow itself, which wakes at the start."""
    return _unstarted(started, "pending", begin_at)


def stillborn_state(started: Started, fault: Fault) -> tuple[RunState, tuple[Fact, ...]]:
    """A run that ended before its first task, because it cannot be run at all."""
    state = replace(_unstarted(started, "faulted"), frames={}, error=fault, ended_at=started.at)
    return state, (Fact("run.faulted", started.at, fault=fault),)


def suspended_at_start(started: Started, reason: str) -> tuple[RunState, tuple[Fact, ...]]:
    """A run whose first step failed in the engine; resuming it tries again."""
    return _unstarted(started, "suspended"), (Fact("run.suspended", started.at, detail=reason),)


def suspended(state: RunState, at: int, reason: str) -> tuple[RunState, tuple[Fact, ...]]:
    """A run that the kernel could not even suspend."""
    after = replace(state, status="suspended", version=state.version + 1, updated_at=at)
    return after, (Fact("run.suspended", at, detail=reason),)


def is_unstarted(state: RunState) -> bool:
    """Whether `Started` has still to be applied."""
    root = state.frames.get(ROOT)
    return root is not None and root.phase == _PENDING


def begins_at(state: RunState) -> int:
    """When an unstarted run begins."""
    return state.frames[ROOT].wake_at


def _unstarted(started: Started, status: RunStatus, begin_at: int = 0) -> RunState:
    root = Frame(ROOT, -1, 0, _PENDING, started.input, started.at, wake_at=begin_at)
    return RunState(
        run_id=started.run_id,
        workflow=started.workflow,
        version=1,
        status=status,
        input=started.input,
        context=EMPTY_OBJECT,
        started_at=started.at,
        updated_at=started.at,
        frames={ROOT: root},
        parent=started.parent,
        retry_of=started.resume.retry_of if started.resume else None,
    )
