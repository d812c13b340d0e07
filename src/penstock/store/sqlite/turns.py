"""Writes turns. Turns of different runs are written together, statement by statement (see `Session`).

A batch is cut into *waves* in which every run occurs once, so that each turn sees those before it. Inside a wave
the fences come first: if they do not hold for every turn, `Conflict` is raised and the transaction must be rolled
back; the writer then does the turns again one by one, where `Conflict` means that this turn is stale.
"""

from collections.abc import Iterator, Sequence

from penstock.store.rows import Committed, EventRow, InboxRow, RunCommit
from penstock.store.sqlite.events import insert_events
from penstock.store.sqlite.mapping import as_json, new_run_row, updated_run_row
from penstock.store.sqlite.session import Session
from penstock.store.sqlite.work import write_work
from penstock.store.waves import StartKeys, waves


class Conflict(Exception):
    """A run is not in the expected version, exists already, or its start key is taken."""


def write_turns(session: Session, turns: Sequence[RunCommit], start_keys: StartKeys) -> list[Committed]:
    """Writes all turns, or raises with the transaction half done."""
    return [outcome for wave in waves(turns, start_keys) for outcome in _write_wave(session, wave, start_keys)]


def _write_wave(session: Session, wave: list[RunCommit], start_keys: StartKeys) -> list[Committed]:
    created = [turn for turn in wave if turn.expected_version == 0]
    if created:
        _create_runs(session, created, start_keys)
    updates = [updated_run_row(turn) for turn in wave if turn.expected_version]
    if session.write_rows("update_runs", updates) != len(updates):
        raise Conflict
    session.write_rows("insert_journal", [(t.run.id, r.seq, r.at, r.body) for t in wave for r in t.journal])
    if consumed := [seq for turn in wave for seq in turn.consumed]:
        session.execute("delete_inbox", (as_json(consumed),))
    _write_values(session, wave)
    _write_subscriptions(session, wave)
    write_work(session, wave)
    return _write_outgoing(session, wave)


def _create_runs(session: Session, created: list[RunCommit], start_keys: StartKeys) -> None:
    if session.write_rows("insert_runs", [new_run_row(turn) for turn in created]) != len(created):
        raise Conflict
    keys = [start_keys[turn.run.id] for turn in created if turn.run.id in start_keys]
    rows = [(k.namespace, k.name, k.key, k.body_hash, k.run_id) for k in keys]
    if session.write_rows("insert_start_keys", rows) != len(rows):
        raise Conflict
    labels = [(key, value, turn.run.id) for turn in created for key, value in turn.run.labels.items()]
    session.write_rows("insert_labels", labels)


def _write_values(session: Session, wave: list[RunCommit]) -> None:
    values = [(t.run.id, digest, body) for t in wave for digest, body in t.values.items()]
    session.write_rows("insert_values", values)
    kept = [(turn.run.id, turn.version, turn.state) for turn in wave if turn.checkpoint]
    session.write_rows("insert_checkpoints", kept)


def _write_subscriptions(session: Session, wave: list[RunCommit]) -> None:
    """Old ones go before new ones come, so that a turn may replace its own."""
    gone = [(turn.run.id, entry) for turn in wave for entry in turn.unsubscribe]
    session.write_rows("delete_subscriptions", gone)
    new = [s for turn in wave for s in turn.subscribe]
    rows = [(s.run_id, s.entry, s.filter, s.topic, s.key, s.body) for s in new]
    session.write_rows("insert_subscriptions", rows)
    if ended := [turn.run.id for turn in wave if turn.run.ended_at]:
        session.execute("delete_subscriptions_of_runs", (as_json(ended),))


def _write_outgoing(session: Session, wave: list[RunCommit]) -> list[Committed]:
    messages = [message for turn in wave for message in turn.messages]
    published = [event for turn in wave for event in turn.events]
    if not messages and not published:
        return [Committed()] * len(wave)
    inbox = iter(put_messages(session, messages))
    events = iter(insert_events(session, published))
    return [Committed(_next(inbox, len(t.messages)), _stored(events, len(t.events))) for t in wave]


def put_messages(session: Session, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
    """Puts messages (run id, body) into inboxes, in order."""
    numbers = session.number_rows("insert_inbox", messages)
    return [InboxRow(seq, run_id, body) for seq, (run_id, body) in zip(numbers, messages, strict=True)]


def _next(rows: Iterator[InboxRow], count: int) -> tuple[InboxRow, ...]:
    return tuple(next(rows) for _ in range(count))


def _stored(rows: Iterator[EventRow | None], count: int) -> tuple[EventRow, ...]:
    return tuple(row for row in [next(rows) for _ in range(count)] if row is not None)
