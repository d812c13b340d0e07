"""What a caller may see: the grant of a request, and lists without what is in other namespaces."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.tokens import Grant
from penstock.store.rows import RunRow, StoredWorkflow

GRANT: Final = web.RequestKey("penstock.grant", Grant)


def grant_of(request: web.Request) -> Grant:
    """What the caller may do, as the guard has found."""
    return request[GRANT]


async def visible_runs(engine: Engine, grant: Grant, filters: Mapping[str, Json], limit: int) -> list[RunRow]:
    """`Engine.list_runs` over the namespaces of the caller, the newest first."""
    if grant.namespaces is None:
        return await engine.list_runs(**filters, limit=limit)
    found: list[RunRow] = []
    for namespace in _wanted(grant, filters.get("namespace")):
        narrowed: dict[str, Json] = {**filters, "namespace": namespace}
        found += await engine.list_runs(**narrowed, limit=limit)
    return sorted(found, key=lambda run: run.id, reverse=True)[:limit]


async def visible_workflows(
    engine: Engine, grant: Grant, *, namespace: str | None, after: tuple[str, str, str] | None, limit: int
) -> list[StoredWorkflow]:
    """`Engine.list_workflows` over the namespaces of the caller."""
    if grant.namespaces is None:
        return await engine.list_workflows(namespace=namespace, after=after, limit=limit)
    found: list[StoredWorkflow] = []
    for one in _wanted(grant, namespace):
        if len(found) < limit:
            found += await engine.list_workflows(namespace=one, after=after, limit=limit - len(found))
    return found


def _wanted(grant: Grant, namespace: str | None) -> list[str]:
    seen = sorted(grant.namespaces or ())
    return seen if namespace is None else [one for one in seen if one == namespace]
