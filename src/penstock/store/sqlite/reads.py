"""Reads of the store: each is a function of a session. Writes nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.model.json_value import MAX_INTEGER, Json
from penstock.store.id_range import id_range
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
from penstock.store.sqlite.mapping import as_json, run_row
from penstock.store.sqlite.session import Session

_LARGEST: Final = MAX_INTEGER >> 1


def start_key(session: Session, namespace: str, name: str, key: str) -> StartKey | None:
    row = session.execute("start_key", (namespace, name, key)).fetchone()
    return StartKey(*row) if row else None


def load_run(session: Session, run_id: str) -> StoredRun | None:
    row = session.execute("load_run", (run_id,)).fetchone()
    return StoredRun(run_row(row), row[14], row[15]) if row else None


def load_values(session: Session, run_id: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for digest in digests:
        for row in session.execute("load_value", (run_id, digest)):
            found[digest] = row[0]
    return found


def due_runs(session: Session, until: int, limit: int) -> list[tuple[str, int]]:
    return session.execute("due_runs", (until, limit)).fetchall()


def next_due_at(session: Session, after: int) -> int | None:
    return session.execute("next_due_at", (after,)).fetchone()[0]


def calling_runs(session: Session, after: str, limit: int) -> list[str]:
    return [row[0] for row in session.execute("calling_runs", (after, limit))]


def inbox(session: Session, after: int, limit: int) -> list[InboxRow]:
    return [InboxRow(*row) for row in session.execute("inbox", (after, limit))]


def inbox_rows(session: Session, seqs: Sequence[int]) -> list[InboxRow]:
    return [InboxRow(*row) for row in session.execute("inbox_rows", (as_json(list(seqs)),))]


def list_runs(session: Session, labels: Mapping[str, str], id_prefix: str, filters: Mapping[str, Json]) -> list[RunRow]:
    """`filters` are the other parameters of `list_runs` by name. The narrowest index leads."""
    lowest, before = id_range(id_prefix, filters["before"], filters["since"], filters["until"])
    parameters = {**filters, "lowest": lowest, "before": before}
    statement = "list_runs"
    if labels:
        (parameters["label_key"], parameters["label_value"]), *others = labels.items()
        parameters["labels"] = as_json(dict(others))
        statement = "list_runs_by_label"
    elif filters["namespace"] is not None and filters["name"] is not None:
        statement = "list_runs_by_workflow"
    elif filters["status"] is not None:
        statement = "list_runs_by_status"
    return [run_row(row) for row in session.execute(statement, parameters)]


def journal(session: Session, run_id: str, after: int, limit: int) -> list[JournalRow]:
    return [JournalRow(*row) for row in session.execute("journal", (run_id, after, limit))]


def journal_tail(session: Session, run_id: str, before: int, limit: int) -> list[JournalRow]:
    return [JournalRow(*row) for row in session.execute("journal_tail", (run_id, before, limit))]


def checkpoint(session: Session, run_id: str, seq: int) -> tuple[int, bytes] | None:
    return session.execute("checkpoint", (run_id, seq)).fetchone()


def ended_runs(
    session: Session, workflow: tuple[str, str], before: int, keep: int, after: tuple[int, str], limit: int
) -> list[tuple[int, str]]:
    parameters = {
        "namespace": workflow[0],
        "name": workflow[1],
        "before": before,
        "keep": keep,
        "after_at": after[0],
        "after_id": after[1],
        "limit": limit,
    }
    return session.execute("ended_runs_of_workflow", parameters).fetchall()


def ended_workflows(session: Session, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
    parameters = {"namespace": after[0], "name": after[1], "limit": limit}
    return session.execute("ended_workflows", parameters).fetchall()


def events_after(session: Session, seq: int, limit: int) -> list[EventRow]:
    return [EventRow(*row) for row in session.execute("events_after", (seq, limit))]


def routed_until(session: Session) -> int:
    return session.execute("routed_until").fetchone()[0]


def events_since(session: Session, now: int, type: str | None, after_seq: int, limit: int) -> list[EventRow]:  # noqa: A002 - the contract's name
    statement = "events_since" if type is None else "events_since_of_type"
    parameters = {"now": now, "type": type, "after_seq": after_seq, "limit": limit}
    return [EventRow(*row) for row in session.execute(statement, parameters)]


def list_events(session: Session, filters: Mapping[str, Json]) -> list[EventRow]:
    """`filters` are the parameters of `list_events` by name."""
    beyond = _LARGEST if filters["beyond"] is None else filters["beyond"]
    statement = "list_events"
    if filters["run"] is not None:
        statement = "list_events_of_run"
        beyond = filters["beyond"] or 0
    elif filters["type"] is not None:
        statement = "list_events_of_type"
    return [EventRow(*row) for row in session.execute(statement, {**filters, "beyond": beyond})]


def subscriptions(session: Session, lookups: Sequence[tuple[str, str]]) -> list[Subscription]:
    places = {lookup: place for place, lookup in enumerate(dict.fromkeys(lookups))}
    found = [Subscription(*row) for row in session.select_rows("subscriptions", list(places))]
    # Each of the chunks goes along the index, in an order of its own.
    return sorted(found, key=lambda one: (places[one.topic, one.key], one.run_id, one.entry, one.filter))


def subscriptions_of(session: Session, run_id: str) -> list[Subscription]:
    return [Subscription(*row) for row in session.execute("subscriptions_of", (run_id,))]


def subscriptions_to(session: Session, topic: str, key: str | None, limit: int) -> list[Subscription]:
    statement, parameters = "subscriptions_to", (topic, limit)
    if key is not None:
        statement, parameters = "subscriptions_to_key", (topic, key, limit)
    return [Subscription(*row) for row in session.execute(statement, parameters)]


def event(session: Session, source: str, event_id: str) -> EventRow | None:
    row = session.execute("event", (source, event_id)).fetchone()
    return EventRow(*row) if row else None


def delivered_to(session: Session, event_seq: int, limit: int) -> list[str]:
    return [row[0] for row in session.execute("delivered_to", (event_seq, limit))]


def subscription_topics(session: Session) -> list[str]:
    return [row[0] for row in session.execute("subscription_topics")]


def get_workflow(session: Session, statement: str, identity: tuple[str, str, str]) -> StoredWorkflow | None:
    """By `get_workflow` or `get_workflow_for_runs`."""
    row = session.execute(statement, identity).fetchone()
    return StoredWorkflow(*row) if row else None


def workflow_versions(session: Session, namespace: str, name: str) -> list[StoredWorkflow]:
    return [StoredWorkflow(*row) for row in session.execute("workflow_versions", (namespace, name))]


def list_workflows(
    session: Session, namespace: str | None, after: tuple[str, str, str] | None, limit: int
) -> list[StoredWorkflow]:
    below = after or ("", "", "")
    if namespace is None:
        rows = session.execute("list_workflows", (*below, limit))
    elif below[0] > namespace:
        return []
    else:
        start = below[1:] if below[0] == namespace else ("", "")
        rows = session.execute("list_workflows_of_namespace", (namespace, *start, limit))
    return [StoredWorkflow(*row) for row in rows]


def list_tools(session: Session) -> list[Tool]:
    return [Tool(*row) for row in session.execute("list_tools")]


def get_secrets(session: Session) -> dict[str, bytes]:
    return dict(session.execute("get_secrets").fetchall())


def list_tokens(session: Session) -> list[ApiToken]:
    return [ApiToken(*row) for row in session.execute("list_tokens")]
