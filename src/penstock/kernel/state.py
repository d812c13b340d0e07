"""The state of a run: live task runs ("frames"), context and counters; never history.

Frames form a tree by `parent`. Everything is frozen: a step builds a new state. `RunState.version` counts the
messages applied, so the state after message N has version N.

What turns make by the thousand is declared with `gc=False`, here and elsewhere: frozen data points only to older data,
so that the garbage collector, which looks for cycles, need not look at it. That was a tenth of the cost of a step.
"""

from typing import Literal

import msgspec

from penstock.errors import Fault
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import ParentLink, ResumePoint
from penstock.kernel.values import Value
from penstock.model.workflow import WorkflowIdentity

RunStatus = Literal["pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed"]

ENDED: frozenset[str] = frozenset({"cancelled", "faulted", "completed"})

TRANSITIONS: dict[str, frozenset[str]] = {
    "pending": frozenset({"running", "waiting", "suspended", "cancelled", "faulted", "completed"}),
    "running": frozenset({"waiting", "suspended", "cancelled", "faulted", "completed"}),
    "waiting": frozenset({"running", "suspended", "cancelled", "faulted", "completed"}),
    "suspended": frozenset({"running", "waiting", "cancelled", "faulted", "completed"}),
    "cancelled": frozenset(),
    "faulted": frozenset(),
    "completed": frozenset(),
}
"""Which status may follow which (DSL reference, "Status Phases"). Staying in one that is not an end is allowed."""


class ForWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="for"):
    items: Value
    index: int


class ForkWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="fork"):
    """`outputs` and, where a branch exported, `contexts`, in the order of declaration."""

    outputs: tuple[Value | None, ...]
    contexts: tuple[Value | None, ...]
    remaining: int


class TryWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="try"):
    """`attempt` counts from 1. `caught` is set while its error is being handled; `stage` tells what goes on.
    `resend` maps the reference of a call whose outcome is unknown to the key that it must use again."""

    attempt: int
    stage: Literal["trying", "deciding", "delaying", "catching"]
    first_at: int
    attempt_deadline_at: int = 0
    caught: Fault | None = None
    caught_at: tuple[str, int] = ("", 0)  # reference and entry of the task that failed
    resend: dict[str, str] = {}


class ListenWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="listen"):
    """`arrived` waits for its turn; `consumed` are the results so far; `met` (and `until_met`) the filters that have
    their event. Once `closed` no further event is taken; `iterating` while `foreach.do` runs."""

    consumed: tuple[Value, ...] = ()
    arrived: tuple[Value, ...] = ()
    met: tuple[int, ...] = ()
    closed: bool = False
    iterating: bool = False
    until_met: tuple[int, ...] = ()


class CallWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="call"):
    """`invoke` is the durable intent: after a crash it is dispatched again as it stands."""

    invoke: Invoke


class Participant(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A tool that has started a task. `token` is the lease of its newest start, 0 without one.

    Once it has finished, `status` is succeeded, unknown or errored, and `result` pass, warning or fail.
    """

    tool: str
    token: int
    started_at: int
    status: str = ""
    result: str = ""
    message: str = ""


class OfferedWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="offered"):
    """A call whose tools take work by event: `penstock.kernel.tasks.offering` has the rules.

    Until somebody has started, the frame's `wake_at` is `start_by`. `output` are the merged outputs of those that
    have finished; `told` those of `status` and `result` that any of them said. `progress` and `ignored` count
    answers, for the limits on facts; `heard_at` is the last sign of life.
    """

    invoke: Invoke
    capability: str
    prefix: str
    start_by: int
    tools: tuple[str, ...]
    participants: tuple[Participant, ...] = ()
    output: Value | None = None
    told: tuple[str, ...] = ()
    progress: int = 0
    ignored: int = 0
    heard_at: int = 0


class ChildWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="child"):
    child_id: str


class FaultWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="fault"):
    """The body failed while the run was suspended or busy: the fault takes effect when the frame goes on."""

    fault: Fault
    unknown_call_id: str = ""


class ThenWork(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="then"):
    """A flow directive chosen by the body of the task: of a switch case, or of `catch.then`."""

    then: str


Work = ForWork | ForkWork | TryWork | ListenWork | CallWork | ChildWork | FaultWork | ThenWork | OfferedWork


class Frame(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One live task run. `node` indexes the program; `path` holds the iteration numbers of the loops around it.

    `phase` is where it stands (see `penstock.kernel.machine`); `raw` and `input` are its input before and after
    `input.from`; `output` its raw output once there is one. Instants are milliseconds UTC, 0 when unset.
    """

    entry: int
    parent: int
    node: int
    phase: str
    raw: Value
    started_at: int
    path: tuple[int, ...] = ()
    input: Value | None = None
    output: Value | None = None
    deadline_at: int = 0
    wake_at: int = 0
    attempt: int = 1
    work: Work | None = None
    context: Value | None = None
    """The own context of a fork's branch; None elsewhere."""


class RunState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`runnable` are frames that can go on at once; `parked` those that wait for evaluations of this very step, of
    which `rounds` were answered. `keys` are the correlation values that events fixed. Frame 0 is the workflow itself.
    """

    run_id: str
    workflow: WorkflowIdentity
    version: int
    status: RunStatus
    input: Value
    context: Value
    started_at: int
    updated_at: int
    next_entry: int = 1
    frames: dict[int, Frame] = {}
    runnable: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    rounds: int = 0
    keys: dict[str, Value] = {}
    ended_at: int = 0
    output: Value | None = None
    error: Fault | None = None
    parent: ParentLink | None = None
    retry_of: str | None = None
    resume: ResumePoint | None = None
    """Where a retried run begins; None once it has begun."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def next_at(self) -> int | None:
        """When the run must be looked at again without being asked: milliseconds UTC, None when never."""
        if self.ended or self.status == "suspended":
            return None
        if self.runnable or self.parked:
            return self.updated_at
        soonest = 0
        for frame in self.frames.values():
            attempt_at = frame.work.attempt_deadline_at if isinstance(frame.work, TryWork) else 0
            for at in (frame.deadline_at, frame.wake_at, attempt_at):
                if at and (at < soonest or not soonest):
                    soonest = at
        return soonest or None

    @property
    def calls(self) -> tuple[Invoke, ...]:
        """The calls that this run waits for: what must be dispatched again after a crash."""
        return tuple(f.work.invoke for f in self.frames.values() if isinstance(f.work, CallWork))
