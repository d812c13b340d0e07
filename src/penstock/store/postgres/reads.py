"""Reads of the store: each is a function of a session. Writes nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from penstock.model.json_value import MAX_INTEGER, Json
from penstock.store.id_range import id_range
from penstock.store.postgres.mapping import run_row
from penstock.store.postgres.session import Session, columns
from penstock.store.rows import (
    ApiToken,
    EventRow,
    InboxRow,
    JournalRow,
    RunRow,
    StartKey,
    StoredRun,
    StoredWorkflow,
    Subscription,
    Tool,
)

_LARGEST: Final = MAX_INTEGER >> 1


async def start_key(session: Session, namespace: str, name: str, key: str) -> StartKey | None:
    row = await session.row("start_key", namespace, name, key)
    return StartKey(*row) if row else None


async def load_run(session: Session, run_id: str) -> StoredRun | None:
    row = await session.row("load_run", run_id)
    return StoredRun(run_row(row), row[14], row[15]) if row else None


async def load_values(session: Session, run_id: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    return {row[0]: row[1] for row in await session.fetch("load_values", run_id, list(digests))}


async def due_runs(session: Session, until: int, limit: int, held: Collection[int]) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in await session.fetch("due_runs", until, limit, list(held))]


async def next_due_at(session: Session, after: int, held: Collection[int]) -> int | None:
    return await session.value("next_due_at", after, list(held))


async def calling_runs(session: Session, after: str, limit: int, among: Collection[int]) -> list[str]:
    return [row[0] for row in await session.fetch("calling_runs", after, limit, list(among))]


async def inbox(session: Session, after: int, limit: int, held: Collection[int]) -> list[InboxRow]:
    return [InboxRow(*row) for row in await session.fetch("inbox", after, limit, list(held))]


async def inbox_rows(session: Session, seqs: Sequence[int]) -> list[InboxRow]:
    return [InboxRow(*row) for row in await session.fetch("inbox_rows", list(seqs))]


async def list_runs(
    session: Session, labels: Mapping[str, str], id_prefix: str, before: str | None, filters: Mapping[str, Json]
) -> list[RunRow]:
    """`filters` are the other parameters of `list_runs` by name. The narrowest index leads."""
    order = ("namespace", "name", "status", "since", "until", "limit")
    lowest, below = id_range(id_prefix, before, filters["since"], filters["until"])
    parameters = [below, lowest, *(filters[name] for name in order)]
    statement = "list_runs"
    if labels:
        leading, *others = labels.items()
        parameters += [*leading, [key for key, _ in others], [value for _, value in others]]
        statement = "list_runs_by_label"
    elif filters["namespace"] is not None and filters["name"] is not None:
        statement = "list_runs_by_workflow"
    elif filters["status"] is not None:
        statement = "list_runs_by_status"
    return [run_row(row) for row in await session.fetch(statement, *parameters)]


async def journal(session: Session, run_id: str, after: int, limit: int) -> list[JournalRow]:
    return [JournalRow(*row) for row in await session.fetch("journal", run_id, after, limit)]


async def journal_tail(session: Session, run_id: str, before: int, limit: int) -> list[JournalRow]:
    return [JournalRow(*row) for row in await session.fetch("journal_tail", run_id, before, limit)]


async def checkpoint(session: Session, run_id: str, seq: int) -> tuple[int, bytes] | None:
    row = await session.row("checkpoint", run_id, seq)
    return (row[0], row[1]) if row else None


async def ended_runs(
    session: Session, workflow: tuple[str, str], before: int, keep: int, after: tuple[int, str], limit: int
) -> list[tuple[int, str]]:
    rows = await session.fetch("ended_runs_of_workflow", *workflow, *after, before, keep, limit)
    return [(row[0], row[1]) for row in rows]


async def ended_workflows(session: Session, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await session.fetch("ended_workflows", *after, limit)]


async def events_after(session: Session, seq: int, limit: int) -> list[EventRow]:
    return [EventRow(*row) for row in await session.fetch("events_after", seq, limit)]


async def routed_until(session: Session, held: Collection[int]) -> int:
    return await session.value("routed_until", list(held))


async def events_since(session: Session, now: int, type: str | None, after_seq: int, limit: int) -> list[EventRow]:  # noqa: A002 - the contract's name
    if type is None:
        rows = await session.fetch("events_since", after_seq, now, limit)
    else:
        rows = await session.fetch("events_since_of_type", after_seq, now, limit, type)
    return [EventRow(*row) for row in rows]


async def list_events(session: Session, filters: Mapping[str, Json]) -> list[EventRow]:
    """`filters` are the parameters of `list_events` by name."""
    parameters = [filters[name] for name in ("type", "source", "subject", "limit")]
    beyond = _LARGEST if filters["beyond"] is None else filters["beyond"]
    if filters["run"] is not None:
        rows = await session.fetch("list_events_of_run", filters["beyond"] or 0, *parameters, filters["run"])
    elif filters["type"] is not None:
        rows = await session.fetch("list_events_of_type", beyond, *parameters)
    else:
        rows = await session.fetch("list_events", beyond, *parameters)
    return [EventRow(*row) for row in rows]


async def subscriptions(
    session: Session, lookups: Sequence[tuple[str, str]], held: Collection[int]
) -> list[Subscription]:
    if not lookups:
        return []
    rows = await session.fetch("subscriptions", *columns(dict.fromkeys(lookups)), list(held))
    return [Subscription(*row) for row in rows]


async def subscriptions_of(session: Session, run_id: str) -> list[Subscription]:
    return [Subscription(*row) for row in await session.fetch("subscriptions_of", run_id)]


async def subscriptions_to(session: Session, topic: str, key: str | None, limit: int) -> list[Subscription]:
    if key is None:
        rows = await session.fetch("subscriptions_to", topic, limit)
    else:
        rows = await session.fetch("subscriptions_to_key", topic, key, limit)
    return [Subscription(*row) for row in rows]


async def event(session: Session, source: str, event_id: str) -> EventRow | None:
    row = await session.row("event", source, event_id)
    return EventRow(*row) if row else None


async def delivered_to(session: Session, event_seq: int, limit: int) -> list[str]:
    return [row[0] for row in await session.fetch("delivered_to", event_seq, limit)]


async def subscription_topics(session: Session) -> list[str]:
    return [row[0] for row in await session.fetch("subscription_topics")]


async def get_workflow(session: Session, statement: str, identity: tuple[str, str, str]) -> StoredWorkflow | None:
    """By `get_workflow` or `get_workflow_for_runs`."""
    row = await session.row(statement, *identity)
    return StoredWorkflow(*row) if row else None


async def workflow_versions(session: Session, namespace: str, name: str) -> list[StoredWorkflow]:
    return [StoredWorkflow(*row) for row in await session.fetch("workflow_versions", namespace, name)]


async def list_workflows(
    session: Session, namespace: str | None, after: tuple[str, str, str] | None, limit: int
) -> list[StoredWorkflow]:
    below = after or ("", "", "")
    if namespace is None:
        rows = await session.fetch("list_workflows", *below, limit)
    elif below[0] > namespace:
        return []
    else:
        start = below[1:] if below[0] == namespace else ("", "")
        rows = await session.fetch("list_workflows_of_namespace", namespace, *start, limit)
    return [StoredWorkflow(*row) for row in rows]


async def list_tools(session: Session) -> list[Tool]:
    return [Tool(*row) for row in await session.fetch("list_tools")]


async def get_secrets(session: Session) -> dict[str, bytes]:
    return {row[0]: row[1] for row in await session.fetch("get_secrets")}


async def list_tokens(session: Session) -> list[ApiToken]:
    return [ApiToken(*row) for row in await session.fetch("list_tokens")]
