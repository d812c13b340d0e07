"""What callers see of a run, an event and a tool: values that do not change, with the JSON of the HTTP contract."""

import msgspec

from penstock.kernel.facts import Fact
from penstock.kernel.instants import rfc3339
from penstock.kernel.state import ENDED, RunState
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.runtime.task_rows import TaskView
from penstock.store.rows import RunRow, StoredWorkflow
from penstock.tools.contract import ToolDefinition


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is on disk. Instants are milliseconds UTC, 0 when there is none; `error` is problem details.

    `tasks` are the last `MAX_TASK_ROWS`, in the order of entry.
    """

    id: str
    namespace: str
    name: str
    version: str
    status: str
    created_at: int
    updated_at: int
    ended_at: int = 0
    next_at: int | None = None
    input: Json = None
    output: Json = None
    error: dict[str, Json] | None = None
    labels: dict[str, str] = {}
    parent_id: str = ""
    retry_of: str = ""
    seq: int = 0
    """How many messages the run has taken."""
    tasks: tuple[TaskView, ...] = ()

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def as_json(self) -> dict[str, Json]:
        """`GET /api/v1/runs/{id}` (docs/http-api.md)."""
        return {
            **summary_json(self),
            "input": self.input,
            "output": self.output,
            "error": self.error,
            "tasks": [task.as_json() for task in self.tasks],
        }


def summary_json(run: "RunView | RunRow") -> dict[str, Json]:
    """The members of a run that lists show."""
    return {
        "id": run.id,
        "workflow": {"namespace": run.namespace, "name": run.name, "version": run.version},
        "status": run.status,
        "created_at": rfc3339(run.created_at),
        "updated_at": rfc3339(run.updated_at),
        "ended_at": rfc3339(run.ended_at) if run.ended_at else None,
        "labels": run.labels,
        "parent_id": run.parent_id or None,
        "retry_of": run.retry_of or None,
    }


def run_view(run: RunRow, state: RunState, tasks: tuple[TaskView, ...]) -> RunView:
    """The view of a run in a state."""
    return RunView(
        id=run.id,
        namespace=run.namespace,
        name=run.name,
        version=run.version,
        status=state.status,
        created_at=run.created_at,
        updated_at=state.updated_at,
        ended_at=state.ended_at,
        next_at=state.next_at,
        input=state.input.data,
        output=None if state.output is None else state.output.data,
        error=None if state.error is None else state.error.as_json(),
        labels=run.labels,
        parent_id=run.parent_id,
        retry_of=run.retry_of,
        seq=state.version,
        tasks=tasks,
    )


class HistoryPage(msgspec.Struct, frozen=True):
    """Lifecycle events in order; `next` is what to ask for the following page, None on the last."""

    events: list[dict[str, Json]]
    next: int | None


class EventView(msgspec.Struct, frozen=True):
    """An event as it was taken in, and its place in the order of ingestion."""

    seq: int
    event: dict[str, Json]


class StoredTool(msgspec.Struct, frozen=True):
    """A registered tool."""

    definition: ToolDefinition
    created_at: int
    updated_at: int


class CheckResult(msgspec.Struct, frozen=True):
    """What is to be said about a document. `bounds` is None when it does not load."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    bounds: Json = None


class DeployResult(msgspec.Struct, frozen=True):
    """What was stored; `created` is False when the same content was there already."""

    stored: StoredWorkflow
    created: bool
    warnings: tuple[Diagnostic, ...]
    bounds: Json


class Recorded(msgspec.Struct, frozen=True):
    """The facts of one message, with the state's version after it."""

    seq: int
    facts: tuple[Fact, ...]
