"""Writes events and their deliveries; each event is stored once, and delivered once to each run."""

from collections.abc import Collection, Sequence

import msgspec

from penstock.store.partitions import partition_of
from penstock.store.postgres.session import Session, columns
from penstock.store.rows import Delivery, EventRow, InboxRow


async def insert_events(session: Session, events: Sequence[EventRow]) -> list[EventRow | None]:
    """The stored events with their numbers; None where (source, id) is known, or comes earlier in `events`."""
    if not events:
        return []
    await session.execute("lock_ingestion")
    rows = [(e.source, e.id, e.type, e.subject, e.at, e.expires_at, e.run_id, e.body) for e in events]
    new = {(row[1], row[2]): row[0] for row in await session.fetch("insert_events", *columns(rows))}
    # The first of those with the same name takes the number, the others find none.
    numbers = [new.pop((event.source, event.id), None) for event in events]
    pairs = zip(events, numbers, strict=True)
    return [None if seq is None else msgspec.structs.replace(event, seq=seq) for event, seq in pairs]


async def deliver(session: Session, deliveries: Sequence[Delivery], held: Collection[int]) -> list[InboxRow]:
    """In order, a message for each event and run that has not been there, the first if several name the same; only
    for runs of the partitions that are held."""
    bodies: dict[tuple[int, str], bytes] = {}
    for delivery in deliveries:
        if partition_of(delivery.run_id) in held:
            bodies.setdefault((delivery.event_seq, delivery.run_id), delivery.body)
    if not bodies:
        return []
    fresh = {(row[0], row[1]) for row in await session.fetch("insert_deliveries", *columns(bodies))}
    return await put_messages(session, [(place[1], body) for place, body in bodies.items() if place in fresh])


async def keep_routed(session: Session, seq: int, held: Collection[int]) -> None:
    """Moves the cursors of these partitions forward."""
    await session.execute("keep_routed", seq, list(held))


async def expire_events(session: Session, now: int, limit: int) -> int:
    """Deletes events up to the least cursor whose time to live has ended, with their deliveries."""
    expired = [row[0] for row in await session.fetch("delete_expired_events", now, limit)]
    if expired:
        await session.execute("delete_deliveries_of_events", expired)
    return len(expired)


async def put_messages(session: Session, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
    """Puts messages (run id, body) into inboxes, in order."""
    if not messages:
        return []
    rows = [(run_id, partition_of(run_id), body) for run_id, body in messages]
    # Numbers are given in the order of the rows; that they also come back in it is nowhere promised.
    numbers = sorted(row[0] for row in await session.fetch("insert_inbox", *columns(rows)))
    return [InboxRow(seq, run_id, body) for seq, (run_id, body) in zip(numbers, messages, strict=True)]
