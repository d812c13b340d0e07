"""Writes events and their deliveries; each event is stored once, and delivered once to each run."""

from collections.abc import Sequence

import msgspec

from penstock.store.rows import EventRow, InboxRow
from penstock.store.sqlite.mapping import as_json
from penstock.store.sqlite.session import Session


def insert_events(session: Session, events: Sequence[EventRow]) -> list[EventRow | None]:
    """The stored events with their numbers; None where (source, id) is known, or comes earlier in `events`."""
    if not events:
        return []
    known: set[tuple[str, str]] = set(
        map(tuple, session.select_rows("known_events", [(e.source, e.id) for e in events]))
    )
    new: list[EventRow] = []
    is_new: list[bool] = []
    for event in events:
        is_new.append((event.source, event.id) not in known)
        if is_new[-1]:
            known.add((event.source, event.id))
            new.append(event)
    rows = [(e.source, e.id, e.type, e.subject, e.at, e.expires_at, e.run_id, 0, e.body) for e in new]
    numbers = session.number_rows("insert_events", rows)
    stored = (msgspec.structs.replace(e, seq=seq) for e, seq in zip(new, numbers, strict=True))
    return [next(stored) if fresh else None for fresh in is_new]


def deliver(session: Session, event_seq: int, messages: Sequence[tuple[str, bytes]], *, routed: bool) -> list[InboxRow]:
    """One message per run that has not had the event, the first if several name the same run."""
    asked = as_json([run_id for run_id, _ in messages])
    had: set[str] = {row[0] for row in session.execute("delivered_runs", (event_seq, asked))}
    new: dict[str, bytes] = {}
    for run_id, body in messages:
        if run_id not in had:
            new.setdefault(run_id, body)
    session.write_rows("insert_deliveries", [(event_seq, run_id) for run_id in new])
    numbers = session.number_rows("insert_inbox", list(new.items()))
    if routed:
        session.execute("mark_routed", (event_seq,))
    return [InboxRow(seq, run_id, body) for seq, (run_id, body) in zip(numbers, new.items(), strict=True)]


def expire_events(session: Session, now: int, limit: int) -> int:
    """Deletes routed events whose time to live has ended, with their deliveries."""
    expired: list[int] = [row[0] for row in session.execute("expired_events", (now, limit))]
    if expired:
        session.execute("delete_events", (as_json(expired),))
        session.execute("delete_deliveries_of_events", (as_json(expired),))
    return len(expired)
