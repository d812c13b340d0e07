"""What `POST /api/v1/runs:prune` takes and gives."""

import re
from typing import Final

from penstock.model.durations import duration_ms
from penstock.model.json_value import Json
from penstock.model.limits import MAX_RETAINED_RUNS
from penstock.runtime.pruning import Pruned, PruneWish
from penstock.server.refusals import BadRequest
from penstock.server.schemas import TEXT, record

_WORKFLOW: Final = re.compile(r"([^/:\s]{1,63})/([^/:\s]{1,63})")

PRUNE_WISH: Final[Json] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "older_than": {"type": "string", "description": "Only runs that ended longer ago than this ISO 8601 duration"},
        "keep": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_RETAINED_RUNS,
            "description": "But for so many runs of each workflow that ended last",
        },
        "workflow": {"type": "string", "pattern": "^[^/:\\s]{1,63}/[^/:\\s]{1,63}$", "description": "namespace/name"},
        "dry_run": {"type": "boolean", "default": False, "description": "Count, and delete nothing"},
    },
    "description": "Without older_than and keep: the runs that settings and workflows no longer keep",
}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
PRUNED: Final[Json] = record(
    {
        "runs": _COUNT,
        "workflows": {"type": "array", "items": record({"namespace": TEXT, "name": TEXT, "runs": _COUNT})},
        "more": {"type": "boolean"},
        "dry_run": {"type": "boolean"},
    }
)


def read_wish(body: dict[str, Json], now: int) -> PruneWish:
    """The wish of a body. Nothing is guessed: what is not understood must not delete anything."""
    if unknown := [name for name in body if name not in PRUNE_WISH["properties"]]:
        raise BadRequest(f"{unknown[0][:100]!r} is not known; there are {', '.join(PRUNE_WISH['properties'])}")
    older_than, keep, dry_run = body.get("older_than"), body.get("keep"), body.get("dry_run", False)
    if keep is not None and (not isinstance(keep, int) or isinstance(keep, bool) or not 0 <= keep <= MAX_RETAINED_RUNS):
        raise BadRequest(f"keep: must be a whole number from 0 to {MAX_RETAINED_RUNS}")
    if not isinstance(dry_run, bool):
        raise BadRequest("dry_run: must be true or false")
    return PruneWish(
        before=None if older_than is None else now - _age_ms(older_than),
        keep=keep,
        workflow=_workflow(body.get("workflow")),
        dry_run=dry_run,
    )


def pruned_json(pruned: Pruned, *, dry_run: bool) -> Json:
    """The answer."""
    workflows = [{"namespace": namespace, "name": name, "runs": runs} for namespace, name, runs in pruned.workflows]
    return {"runs": pruned.runs, "workflows": workflows, "more": pruned.more, "dry_run": dry_run}


def _age_ms(value: Json) -> int:
    age = duration_ms(value) if isinstance(value, str) else "must be an ISO 8601 duration, like P30D"
    if isinstance(age, str):
        raise BadRequest(f"older_than: {age[:300]}")
    return age


def _workflow(value: Json) -> tuple[str, str] | None:
    if value is None:
        return None
    found = _WORKFLOW.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise BadRequest("workflow: must be namespace/name")
    return found[1], found[2]
