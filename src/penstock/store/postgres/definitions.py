"""Writes workflows, tools, secrets and tokens, and deletes ended runs."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import astuple

from penstock.store.postgres.session import Session
from penstock.store.rows import ApiToken, StoredWorkflow, Tool, WorkflowPut

_BELONGS_TO_RUNS: Final = (
    "delete_labels_of_runs",
    "delete_journal_of_runs",
    "delete_values_of_runs",
    "delete_checkpoints_of_runs",
    "delete_start_keys_of_runs",
    "delete_inbox_of_runs",
    "delete_deliveries_to_runs",
    "delete_hopes_of_runs",
)


async def put_workflow(session: Session, workflow: StoredWorkflow) -> WorkflowPut:
    """Stores it unless its identity exists; returns what is stored, and whether this call did it."""
    w = workflow
    parameters = (w.created_at, w.definition, w.content_hash, w.resources, w.metadata, w.source_text)
    changed = await session.execute("put_workflow", w.namespace, w.name, w.version, *parameters)
    stored = await session.row("get_workflow_for_runs", w.namespace, w.name, w.version)
    assert stored is not None
    return WorkflowPut(StoredWorkflow(*stored), changed == 1)


async def delete_workflow(session: Session, namespace: str, name: str, version: str) -> bool:
    """Hides a version; True if it was visible."""
    return await session.execute("delete_workflow", namespace, name, version) == 1


async def put_tool(session: Session, tool: Tool) -> None:
    """Registers a tool, or replaces it but for `created_at`."""
    await session.execute("put_tool", tool.name, tool.capability, tool.created_at, tool.updated_at, tool.body)


async def delete_named(session: Session, statement: str, name: str) -> bool:
    """Deletes a tool, a secret or a token; True if it was there."""
    return await session.execute(statement, name) == 1


async def put_secret(session: Session, name: str, sealed: bytes) -> None:
    """Stores an encrypted secret."""
    await session.execute("put_secret", name, sealed)


async def put_token(session: Session, token: ApiToken) -> None:
    """Stores a token, or changes what one may do."""
    await session.execute("put_token", *astuple(token))


async def touch_tokens(session: Session, uses: Mapping[str, int]) -> None:
    """Notes when tokens were used, in an order that no other node can cross."""
    for token_id, at in sorted(uses.items()):
        await session.execute("touch_token", at, token_id)


async def delete_runs(session: Session, run_ids: Sequence[str]) -> int:
    """Deletes those of the runs that have ended, with all that belongs to them."""
    ended = [row[0] for row in await session.fetch("ended_runs", list(run_ids))]
    if not ended:
        return 0
    for statement in _BELONGS_TO_RUNS:
        await session.execute(statement, ended)
    return await session.execute("delete_runs", ended)
