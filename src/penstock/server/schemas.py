"""JSON Schemas of what the API takes and gives, as they stand in `/openapi.json`."""

from typing import Final

from penstock.model.json_value import Json
from penstock.model.limits import MAX_TOOL_WEIGHT, PARTITIONS

ANY: Final[Json] = {}
TEXT: Final[Json] = {"type": "string"}
INSTANT: Final[Json] = {"type": "string", "format": "date-time"}
MAYBE_INSTANT: Final[Json] = {"type": ["string", "null"], "format": "date-time"}
RUN_ID: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
DNS_LABEL: Final[Json] = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
VERSION: Final[Json] = {
    "type": "string",
    "pattern": "^(latest|[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]*)?)$",
}
NAME: Final[Json] = {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$"}
STATUSES: Final = ("pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed")
WORK_STATES: Final = ("waiting", "leased", "sent", "dead")
STATUS: Final[Json] = {"type": "string", "enum": list(STATUSES)}


def ref(name: str) -> Json:
    """A component by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: dict[str, Json], optional: dict[str, Json] | None = None) -> Json:
    """An object with these members; others are allowed, so that answers can grow."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def listing(item: Json) -> Json:
    """A page of items."""
    return record({"items": {"type": "array", "items": item}, "next_cursor": {"type": ["string", "null"]}})


_FINDING: Final = record(
    {"pointer": TEXT, "message": TEXT},
    {
        "line": {"type": "integer", "minimum": 1},
        "column": {"type": "integer", "minimum": 1},
        "code": TEXT,
        "severity": {"type": "string", "enum": ["error", "warning"]},
    },
)
_BOUNDS: Final[Json] = {"type": ["object", "null"]}
_IDENTITY: Final = record({"namespace": TEXT, "name": TEXT, "version": TEXT})
_WORKFLOW: Final = record({"namespace": TEXT, "name": TEXT, "version": TEXT, "created_at": INSTANT})
_FINDINGS: Final[Json] = {"type": "array", "items": ref("Finding")}

_RUN_SUMMARY_MEMBERS: Final[dict[str, Json]] = {
    "id": RUN_ID,
    "workflow": ref("WorkflowIdentity"),
    "status": STATUS,
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "ended_at": MAYBE_INSTANT,
    "labels": {"type": "object", "additionalProperties": TEXT},
}

_TASK: Final = record(
    {
        "reference": TEXT,
        "name": TEXT,
        "status": TEXT,
        "attempt": {"type": "integer"},
        "started_at": MAYBE_INSTANT,
        "ended_at": MAYBE_INSTANT,
    },
    {
        "entry": {"type": "integer"},
        "path": {"type": "array", "items": {"type": "integer"}},
        "reason": TEXT,
    },
)

_CLOUD_EVENT: Final = record(
    {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
    },
    {"subject": {"type": "string", "minLength": 1}, "time": INSTANT, "data": ANY},
)

_TOOL_OPTIONS: Final[dict[str, Json]] = {
    "stage": TEXT,
    "weight": {"type": "integer", "minimum": 0, "maximum": MAX_TOOL_WEIGHT},
    "timeout": {"type": ["string", "object"]},
    "metadata": {"type": "object"},
    "prefix": TEXT,
    "start_timeout": {"type": ["string", "object"]},
    "input": ANY,
    "output": ANY,
}
_MACHINERY_PORTS: Final[Json] = {"type": ["array", "object"]}

_WAIT: Final = record(
    {
        "kind": {
            "type": "string",
            "enum": ["start", "timer", "retry", "event", "call", "tools", "run", "resume", "turn"],
        },
        "reference": TEXT,
        "name": TEXT,
        "entry": {"type": "integer"},
        "path": {"type": "array", "items": {"type": "integer"}},
        "what": TEXT,
        "since": INSTANT,
        "until": MAYBE_INSTANT,
        "until_what": TEXT,
        "ends": TEXT,
    },
    {
        "filters": {"type": "array", "items": {"type": "object"}},
        "call": TEXT,
        "reason": TEXT,
        "run": RUN_ID,
        "capability": TEXT,
        "tools": {"type": "array", "items": TEXT},
        "participants": {"type": "array", "items": {"type": "object"}},
    },
)
_CANDIDATE: Final = record(
    {
        "run": {"type": ["string", "null"]},
        "workflow": TEXT,
        "reference": TEXT,
        "name": TEXT,
        "filter": {"type": "integer", "minimum": 0},
        "verdict": {"type": "string", "enum": ["delivered", "held", "waiting", "no", "nobody"]},
        "reason": TEXT,
    }
)

COMPONENTS: Final[dict[str, Json]] = {
    "Problem": record(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
        {"instance": TEXT, "errors": _FINDINGS, "message": TEXT},
    ),
    "Finding": _FINDING,
    "WorkflowIdentity": _IDENTITY,
    "Workflow": _WORKFLOW,
    "WorkflowDefinition": record(
        {**_WORKFLOW["properties"], "definition": {"type": "object"}}, {"metadata": ANY, "source": TEXT}
    ),
    "Deployed": record({**_WORKFLOW["properties"], "bounds": _BOUNDS}, {"warnings": _FINDINGS}),
    "Checked": record({"valid": {"type": "boolean"}, "errors": _FINDINGS, "warnings": _FINDINGS, "bounds": _BOUNDS}),
    "RunSummary": record(_RUN_SUMMARY_MEMBERS),
    "Run": record(
        {
            **_RUN_SUMMARY_MEMBERS,
            "input": ANY,
            "output": ANY,
            "error": {"type": ["object", "null"]},
            "tasks": {"type": "array", "items": ref("TaskRun")},
        },
        {"retry_of": {"type": ["string", "null"]}, "parent_id": {"type": ["string", "null"]}},
    ),
    "RunStarted": record({"id": RUN_ID, "status": STATUS}),
    "TaskRun": _TASK,
    "CloudEvent": _CLOUD_EVENT,
    "RunWhy": record(
        {
            "id": RUN_ID,
            "workflow": TEXT,
            "status": STATUS,
            "ended_at": MAYBE_INSTANT,
            "waits": {"type": "array", "items": _WAIT},
        }
    ),
    "EventWhy": record(
        {
            "event": ref("CloudEvent"),
            "came_at": INSTANT,
            "expires_at": INSTANT,
            "candidates": {"type": "array", "items": _CANDIDATE},
            "more": {"type": "boolean"},
        }
    ),
    "Tool": record(
        {
            "name": NAME,
            "capability": NAME,
            "transport": record({"kind": TEXT}),
            "created_at": INSTANT,
            "updated_at": INSTANT,
        },
        _TOOL_OPTIONS,
    ),
    "ToolDefinition": record(
        {"name": NAME, "transport": record({"kind": TEXT})},
        {"capability": NAME, **_TOOL_OPTIONS},
    ),
    "Letter": record(
        {
            "id": TEXT,
            "tool": NAME,
            "run": RUN_ID,
            "capability": NAME,
            "kind": {"type": "string", "enum": ["push", "pull"]},
            "state": {"type": "string", "enum": list(WORK_STATES)},
            "attempts": {"type": "integer", "minimum": 0},
            "lease": {"type": "integer", "minimum": 0},
            "holder": TEXT,
            "reason": TEXT,
            "created_at": INSTANT,
            "due_at": INSTANT,
            "deadline_at": MAYBE_INSTANT,
        }
    ),
    "Node": record(
        {
            "id": TEXT,
            "name": TEXT,
            "engine": {"type": "boolean"},
            "partitions": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": PARTITIONS - 1}},
            "joined_at": INSTANT,
            "seen_at": INSTANT,
            "lease_until": INSTANT,
        }
    ),
    "MachineryService": record(
        {"name": TEXT, "address": TEXT}, {"inputs": _MACHINERY_PORTS, "outputs": _MACHINERY_PORTS}
    ),
    "MachineryWorkflow": record(
        {"name": TEXT, "services": {"type": "array", "items": TEXT}},
        {
            "inputs": _MACHINERY_PORTS,
            "outputs": _MACHINERY_PORTS,
            "operations": {"type": ["array", "object"]},
        },
    ),
}
"""Schemas that are referred to by name."""
