"""Writes workflows, tools, secrets and tokens, and deletes ended runs."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import astuple

from penstock.store.rows import ApiToken, StoredWorkflow, Tool, WorkflowPut
from penstock.store.sqlite.mapping import as_json
from penstock.store.sqlite.session import Session

_BELONGS_TO_RUNS: Final = (
    "delete_labels_of_runs",
    "delete_journal_of_runs",
    "delete_values_of_runs",
    "delete_checkpoints_of_runs",
    "delete_start_keys_of_runs",
    "delete_inbox_of_runs",
    "delete_deliveries_to_runs",
    "delete_subscriptions_of_runs",
    "delete_work_of_runs",
)


def put_workflow(session: Session, workflow: StoredWorkflow) -> WorkflowPut:
    """Stores it unless its identity exists; returns what is stored, and whether this call did it."""
    w = workflow
    changed = session.execute(
        "put_workflow",
        (
            w.namespace,
            w.name,
            w.version,
            w.created_at,
            w.definition,
            w.content_hash,
            w.resources,
            w.metadata,
            w.source_text,
        ),
    ).rowcount
    identity = (w.namespace, w.name, w.version)
    stored = StoredWorkflow(*session.execute("get_workflow_for_runs", identity).fetchone())
    return WorkflowPut(stored, changed == 1)


def delete_workflow(session: Session, namespace: str, name: str, version: str) -> bool:
    """Hides a version; True if it was visible."""
    return session.execute("delete_workflow", (namespace, name, version)).rowcount == 1


def put_tool(session: Session, tool: Tool) -> None:
    """Registers a tool, or replaces it but for `created_at`."""
    session.execute("put_tool", (tool.name, tool.capability, tool.created_at, tool.updated_at, tool.body))


def delete_named(session: Session, statement: str, name: str) -> bool:
    """Deletes a tool, a secret or a token; True if it was there."""
    return session.execute(statement, (name,)).rowcount == 1


def put_secret(session: Session, name: str, sealed: bytes) -> None:
    """Stores an encrypted secret."""
    session.execute("put_secret", (name, sealed))


def put_token(session: Session, token: ApiToken) -> None:
    """Stores a token, or changes what one may do."""
    session.execute("put_token", astuple(token))


def touch_tokens(session: Session, uses: Mapping[str, int]) -> None:
    """Notes when tokens were used."""
    for token_id, at in uses.items():
        session.execute("touch_token", (at, token_id))


def delete_runs(session: Session, run_ids: Sequence[str]) -> int:
    """Deletes those of the runs that have ended, with all that belongs to them."""
    ended = as_json([row[0] for row in session.execute("ended_runs", (as_json(list(run_ids)),))])
    for statement in _BELONGS_TO_RUNS:
        session.execute(statement, (ended,))
    return session.execute("delete_runs", (ended,)).rowcount
