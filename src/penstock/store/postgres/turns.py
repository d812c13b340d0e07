"""Writes turns: many at once, a few statements for all of them.

A batch is cut into waves in which every run and every start key occurs once. Inside a wave the fences come first;
turns that they turn away are stale and drop out alone, and everything else is written for those that hold.
"""

from collections.abc import Iterator, Sequence

from penstock.store.partitions import partition_of
from penstock.store.postgres.events import insert_events, put_messages
from penstock.store.postgres.mapping import new_run_row, updated_run_row
from penstock.store.postgres.session import Session, columns
from penstock.store.postgres.work import write_work
from penstock.store.rows import CommitOutcome, Committed, EventRow, InboxRow, RunCommit, Stale, StartKey, Subscription
from penstock.store.waves import StartKeys, waves


class Conflict(Exception):
    """A start key was taken between the look at it and its insertion: somebody else writes, too."""


async def write_turns(session: Session, turns: Sequence[RunCommit], start_keys: StartKeys) -> list[CommitOutcome]:
    """Writes all turns that hold; outcome by outcome. Raises with the transaction half done."""
    outcomes: list[CommitOutcome] = []
    for wave in waves(turns, start_keys):
        outcomes += await _write_wave(session, wave, start_keys)
    return outcomes


async def _write_wave(session: Session, wave: list[RunCommit], start_keys: StartKeys) -> list[CommitOutcome]:
    holding = await _create_runs(session, wave, start_keys) | await _update_runs(session, wave)
    turns = [turn for turn in wave if turn.run.id in holding]
    if rows := [(t.run.id, r.seq, r.at, r.body) for t in turns for r in t.journal]:
        await session.execute("insert_journal", *columns(rows))
    if consumed := [seq for turn in turns for seq in turn.consumed]:
        await session.execute("delete_inbox", consumed)
    await _write_values(session, turns)
    await _write_subscriptions(session, turns)
    await write_work(session, turns)
    if ended := [turn.run.id for turn in turns if turn.run.ended_at]:
        await session.execute("delete_hopes_of_runs", ended)
    committed = iter(await _write_outgoing(session, turns))
    return [next(committed) if turn.run.id in holding else Stale() for turn in wave]


async def _create_runs(session: Session, wave: list[RunCommit], start_keys: StartKeys) -> set[str]:
    """Ids of the runs that this wave creates, with their labels and start keys."""
    new = [turn for turn in wave if turn.expected_version == 0]
    new = await _without_taken_keys(session, new, start_keys)
    if not new:
        return set()
    created = {row[0] for row in await session.fetch("insert_runs", *columns(map(new_run_row, new)))}
    keys = [start_keys[turn.run.id] for turn in new if turn.run.id in created and turn.run.id in start_keys]
    if keys and await session.execute("insert_start_keys", *columns(map(_key_row, keys))) != len(keys):
        raise Conflict
    held = [turn for turn in new if turn.run.id in created]
    if labels := [(key, value, turn.run.id) for turn in held for key, value in turn.run.labels.items()]:
        await session.execute("insert_labels", *columns(labels))
    return created


async def _without_taken_keys(session: Session, created: list[RunCommit], start_keys: StartKeys) -> list[RunCommit]:
    keys = [start_keys[turn.run.id] for turn in created if turn.run.id in start_keys]
    if not keys:
        return created
    rows = await session.fetch("taken_start_keys", *columns((k.namespace, k.name, k.key) for k in keys))
    taken = {tuple(row) for row in rows}
    lost = {k.run_id for k in keys if (k.namespace, k.name, k.key) in taken}
    return [turn for turn in created if turn.run.id not in lost]


def _key_row(key: StartKey) -> tuple[str, str, str, bytes, str]:
    return (key.namespace, key.name, key.key, key.body_hash, key.run_id)


async def _update_runs(session: Session, wave: list[RunCommit]) -> set[str]:
    """Ids of the runs that were in the version that their turn expects."""
    if rows := [updated_run_row(turn) for turn in wave if turn.expected_version]:
        return {row[0] for row in await session.fetch("update_runs", *columns(rows))}
    return set()


async def _write_values(session: Session, turns: list[RunCommit]) -> None:
    if values := [(t.run.id, digest, body) for t in turns for digest, body in t.values.items()]:
        await session.execute("insert_values", *columns(values))
    if kept := [(turn.run.id, turn.version, turn.state) for turn in turns if turn.checkpoint]:
        await session.execute("insert_checkpoints", *columns(kept))


async def _write_subscriptions(session: Session, turns: list[RunCommit]) -> None:
    """Old ones go before new ones come, so that a turn may replace its own."""
    if gone := [(turn.run.id, entry) for turn in turns for entry in turn.unsubscribe]:
        await session.execute("delete_subscriptions", *columns(gone))
    # One statement cannot write a row twice: of those with the same filter the last stays.
    new: dict[tuple[str, int, int], Subscription] = {
        (s.run_id, s.entry, s.filter): s for turn in turns for s in turn.subscribe
    }
    if rows := [(*place, partition_of(s.run_id), s.topic, s.key, s.body) for place, s in new.items()]:
        await session.execute("insert_subscriptions", *columns(rows))


async def _write_outgoing(session: Session, turns: list[RunCommit]) -> list[Committed]:
    messages = [message for turn in turns for message in turn.messages]
    published = [event for turn in turns for event in turn.events]
    if not messages and not published:
        return [Committed()] * len(turns)
    inbox = iter(await put_messages(session, messages))
    events = iter(await insert_events(session, published))
    return [Committed(_next(inbox, len(t.messages)), _stored(events, len(t.events))) for t in turns]


def _next(rows: Iterator[InboxRow], count: int) -> tuple[InboxRow, ...]:
    return tuple(next(rows) for _ in range(count))


def _stored(rows: Iterator[EventRow | None], count: int) -> tuple[EventRow, ...]:
    return tuple(row for row in [next(rows) for _ in range(count)] if row is not None)
