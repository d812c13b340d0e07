"""Facts as the lifecycle events of the DSL (DSL reference, "Lifecycle Events"): structured CloudEvents.

`outputUri` points to where the output can be read; 1.0.3's `output` stands beside it, so that listeners of either
edition find theirs.
"""

from typing import Final

from penstock.kernel.facts import Fact, FactType
from penstock.kernel.ids import derived_id
from penstock.kernel.instants import rfc3339
from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity

_INSTANTS: Final = {
    "started": "startedAt",
    "suspended": "suspendedAt",
    "resumed": "resumedAt",
    "correlation-started": "startedAt",
    "correlation-completed": "completedAt",
    "cancelled": "cancelledAt",
    "faulted": "faultedAt",
    "completed": "completedAt",
    "created": "createdAt",
    "retried": "retriedAt",
    "skipped": "skippedAt",
    "offered": "offeredAt",
    "tool_started": "startedAt",
    "progress": "updatedAt",
    "tool_finished": "finishedAt",
    "superseded": "receivedAt",
    "ignored": "receivedAt",
}
_OF_TOOLS: Final[tuple[FactType, ...]] = (
    "task.offered",
    "task.tool_started",
    "task.progress",
    "task.tool_finished",
    "task.superseded",
    "task.ignored",
)
_OWN: Final = frozenset({"task.skipped", *_OF_TOOLS})


def to_cloudevent(fact: Fact, *, run_id: str, workflow: WorkflowIdentity, seq: int, index: int) -> dict[str, Json]:
    """The fact as a structured CloudEvent. `seq` is the version of the run's state after its message, `index` its
    place among that message's facts: together they make the event's id."""
    scope, verb = fact.type.split(".", 1)
    prefix = "dev.penstock" if fact.type in _OWN else "io.serverlessworkflow"
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": derived_id(fact.at, run_id, seq, index, "fact"),
        "source": f"/api/v1/runs/{run_id}",
        "type": f"{prefix}.{'workflow' if scope == 'run' else 'task'}.{verb}.v1",
        "subject": run_id,
        "time": rfc3339(fact.at),
        "datacontenttype": "application/json",
        "sequence": f"{seq:010d}.{index:05d}",
    }
    qualified = f"{workflow.name}-{run_id}.{workflow.namespace}"
    data: dict[str, Json] = {"name": qualified} if scope == "run" else {"workflow": qualified, **_task(fact)}
    data[_INSTANTS[verb]] = rfc3339(fact.at)
    if fact.type == "run.started":
        data["definition"] = {
            "namespace": workflow.namespace,
            "name": workflow.name,
            "version": workflow.version,
        }
    if fact.fault is not None:
        data["error"] = fact.fault.as_json()
    if fact.output is not None:
        data["output"] = fact.output.data
        data["outputUri"] = f"/api/v1/runs/{run_id}" + ("" if scope == "run" else "/history")
    if fact.type == "run.correlation-completed":
        data["correlationKeys"] = fact.detail or {}
    elif fact.detail is not None:
        data["detail"] = fact.detail
    event["data"] = data
    return event


def _task(fact: Fact) -> dict[str, Json]:
    details: dict[str, Json] = {"task": fact.reference, "entry": fact.entry, "attempt": fact.attempt}
    if fact.path:
        details["path"] = list(fact.path)
    return details
