"""Everything that can move a run: past tense, data only. `at` is the time of the turn in milliseconds UTC."""

import msgspec

from penstock.errors import Fault
from penstock.kernel.values import Value
from penstock.model.workflow import WorkflowIdentity


class ParentLink(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The task run that waits for this run; `awaited` is False when nobody does."""

    run_id: str
    entry: int
    depth: int
    awaited: bool = True


class ResumePoint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a retried run begins: before the top-level task `reference`, with that raw input and context."""

    retry_of: str
    reference: str
    input: Value
    context: Value


class MessageBase(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True, tag_field="t", omit_defaults=True):
    at: int


class Started(MessageBase, frozen=True, kw_only=True):
    """The first message of every run. `workflow.version` is never `latest` here."""

    run_id: str
    workflow: WorkflowIdentity
    input: Value
    parent: ParentLink | None = None
    resume: ResumePoint | None = None


class CallFinished(MessageBase, frozen=True, kw_only=True):
    """The answer to `Invoke`: `output` or `fault`."""

    call_id: str
    output: Value | None = None
    fault: Fault | None = None


class CallOffered(MessageBase, frozen=True, kw_only=True):
    """The tools of this call to a capability take work by event: offer it to them.

    `capability` and `prefix` make the types of the events; `tools` are those that the binding chose, of which
    `pushed` get the event sent to them and the others fetch it. Somebody must have started by `start_by`
    (milliseconds UTC, 0 for no such deadline). To a call that is over, or offered already, it is stale.
    """

    call_id: str
    capability: str
    tools: tuple[str, ...]
    start_by: int
    prefix: str = ""
    pushed: tuple[str, ...] = ()


class ChildFinished(MessageBase, frozen=True, kw_only=True):
    """A run that `entry` started has ended: `output` when completed, `fault` otherwise."""

    child_id: str
    entry: int
    output: Value | None = None
    fault: Fault | None = None


class EventMatch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A listener of this run that the event matched. `filter` counts over all filters of its strategy, those of
    `until` last; `keys` are the correlation values that the event holds, by name."""

    entry: int
    filter: int
    keys: dict[str, Value] = {}


class EventArrived(MessageBase, frozen=True, kw_only=True):
    """An event, once per run, with every listener of the run that it matched. `event` is a structured CloudEvent."""

    event: Value
    matches: tuple[EventMatch, ...]


class TimerFired(MessageBase, frozen=True, kw_only=True):
    """Every deadline of the run up to `at` is due."""


class Continued(MessageBase, frozen=True, kw_only=True):
    """The run may go on after it gave way to others."""


class CancelRequested(MessageBase, frozen=True, kw_only=True):
    reason: str = ""


class SuspendRequested(MessageBase, frozen=True, kw_only=True):
    """`reason` is set when the engine itself stops a run that it cannot process."""

    reason: str = ""


class ResumeRequested(MessageBase, frozen=True, kw_only=True):
    pass


Message = (
    Started
    | CallFinished
    | CallOffered
    | ChildFinished
    | EventArrived
    | TimerFired
    | Continued
    | CancelRequested
    | SuspendRequested
    | ResumeRequested
)
