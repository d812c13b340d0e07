"""Definitions and tools in the shapes of the HTTP contract; runs have theirs from the engine."""

import msgspec

from penstock.model.json_value import Json
from penstock.runtime.views import StoredTool
from penstock.server.replies import instant
from penstock.store.rows import StoredWorkflow


def tool_view(tool: StoredTool) -> dict[str, Json]:
    """A registered tool; its definition can be put again as it stands."""
    view = msgspec.to_builtins(tool.definition)
    for place in (view, view["transport"]):
        for name in [name for name in place if name.endswith("_ms")]:
            place[name.removesuffix("_ms")] = {"milliseconds": place.pop(name)}
    return {**view, "created_at": instant(tool.created_at), "updated_at": instant(tool.updated_at)}


def workflow_summary(stored: StoredWorkflow) -> dict[str, Json]:
    """A workflow in lists."""
    return {
        "namespace": stored.namespace,
        "name": stored.name,
        "version": stored.version,
        "created_at": instant(stored.created_at),
    }


def workflow_definition(stored: StoredWorkflow) -> dict[str, Json]:
    """A workflow with its definition, and the text that was deployed where there was one."""
    definition = msgspec.json.decode(stored.definition)
    view = {**workflow_summary(stored), "definition": definition}
    return {**view, "source": stored.source_text} if stored.source_text else view
