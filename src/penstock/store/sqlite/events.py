"""Writes events and their deliveries; each event is stored once, and delivered once to each run."""

from collections.abc import Sequence

import msgspec

from penstock.store.rows import Delivery, EventRow, InboxRow
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
    rows = [(e.source, e.id, e.type, e.subject, e.at, e.expires_at, e.run_id, e.body) for e in new]
    numbers = session.number_rows("insert_events", rows)
    stored = (msgspec.structs.replace(e, seq=seq) for e, seq in zip(new, numbers, strict=True))
    return [next(stored) if fresh else None for fresh in is_new]


def deliver(session: Session, deliveries: Sequence[Delivery]) -> list[InboxRow]:
    """In order, a message for each event and run that has not been there, the first if several name the same."""
    bodies: dict[tuple[int, str], bytes] = {}
    for delivery in deliveries:
        bodies.setdefault((delivery.event_seq, delivery.run_id), delivery.body)
    fresh = {(row[0], row[1]) for row in session.select_rows("insert_deliveries", list(bodies))}
    new = [(place[1], body) for place, body in bodies.items() if place in fresh]
    numbers = session.number_rows("insert_inbox", new)
    return [InboxRow(seq, run_id, body) for seq, (run_id, body) in zip(numbers, new, strict=True)]


def keep_routed(session: Session, seq: int) -> None:
    """Moves the cursor forward."""
    session.execute("keep_routed", {"seq": seq})


def expire_events(session: Session, now: int, limit: int) -> int:
    """Deletes events up to the cursor whose time to live has ended, with their deliveries."""
    expired: list[int] = [row[0] for row in session.execute("expired_events", (now, limit))]
    if expired:
        session.execute("delete_events", (as_json(expired),))
        session.execute("delete_deliveries_of_events", (as_json(expired),))
    return len(expired)
