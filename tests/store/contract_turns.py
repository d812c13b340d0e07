"""What every store does with turns: fences, journal, values, inboxes, group commit."""

import asyncio

from penstock.store import Store
from penstock.store.rows import Committed, JournalRow, Rejected, RunCommit, Stale, StartKey
from tests.store.samples import BEGAN, committed, ended, event, run_id, run_row, subscription, turn


def key(name: str, number: int) -> StartKey:
    return StartKey("default", "demo", name, b"hash", run_id(number))


class TurnContract:
    async def test_a_created_run_is_stored_with_all_that_was_given(self, store: Store) -> None:
        row = run_row(1, next_at=BEGAN, calling=True, labels={"a": "b"}, parent_id="p", retry_of="r", fault_title="f")
        committed(await store.commit([RunCommit(run=row, expected_version=0, version=1, state=b"\0\xff", journal=())]))
        stored = await store.load_run(row.id)
        assert stored is not None
        assert (stored.run, stored.version, stored.state) == (row, 1, b"\0\xff")
        assert await store.load_run(run_id(2)) is None

    async def test_a_turn_changes_what_it_may_change(self, store: Store) -> None:
        await store.commit([turn(1, run={"labels": {"a": "b"}})])
        later = {"status": "waiting", "updated_at": BEGAN + 9, "next_at": BEGAN + 99, "calling": True}
        await store.commit([turn(1, 2, run=later)])
        stored = await store.load_run(run_id(1))
        assert stored is not None
        assert stored.run == run_row(1, labels={"a": "b"}, **later)
        assert (stored.version, stored.state) == (2, b"state 2")

    async def test_a_turn_on_another_version_is_stale_and_writes_nothing(self, store: Store) -> None:
        await store.commit([turn(1), turn(1, 2)])
        stale = turn(1, 2, messages=((run_id(2), b"m"),), events=(event("e"),), values={b"d": b"v"})
        assert await store.commit([stale]) == [Stale()]
        assert [row.seq for row in await store.journal(run_id(1), 0, 10)] == [1, 2]
        assert await store.inbox(0, 10) == []
        assert await store.events_after(0, 10) == []
        assert await store.load_values(run_id(1), [b"d"]) == {}

    async def test_creating_a_run_that_exists_is_stale(self, store: Store) -> None:
        await store.commit([turn(1)])
        assert await store.commit([turn(1, state=b"other")]) == [Stale()]
        stored = await store.load_run(run_id(1))
        assert stored is not None
        assert stored.state == b"state 1"

    async def test_a_turn_of_a_run_that_does_not_exist_is_stale(self, store: Store) -> None:
        assert await store.commit([turn(1, 2)]) == [Stale()]
        assert await store.load_run(run_id(1)) is None

    async def test_a_stale_turn_drops_out_alone(self, store: Store) -> None:
        outcomes = await store.commit([turn(1), turn(2, 7), turn(3)])
        assert [type(o) for o in outcomes] == [Committed, Stale, Committed]
        assert await store.load_run(run_id(3)) is not None

    async def test_a_poisoned_turn_is_rejected_alone(self, store: Store) -> None:
        poisoned = turn(2, journal=(JournalRow(1, BEGAN, b"a"), JournalRow(1, BEGAN, b"b")))
        outcomes = await store.commit([turn(1), poisoned, turn(3)])
        assert [type(o) for o in outcomes] == [Committed, Rejected, Committed]
        assert await store.load_run(run_id(2)) is None
        assert await store.journal(run_id(2), 0, 10) == []
        assert await store.load_run(run_id(3)) is not None

    async def test_what_cannot_be_encoded_is_rejected_with_its_reason(self, store: Store) -> None:
        too_large, half = turn(1, run={"next_at": 2**63}), turn(2, run={"fault_title": "\ud800"})
        outcomes = await store.commit([too_large, half, turn(3)])
        assert [type(o) for o in outcomes] == [Rejected, Rejected, Committed]
        assert all(o.reason for o in outcomes if isinstance(o, Rejected))

    async def test_a_poisoned_write_does_not_fail_those_beside_it(self, store: Store) -> None:
        bad = store.send([(run_id(1), b"m"), ("\ud800", b"n")])
        results = await asyncio.gather(
            store.commit([turn(1)]), bad, store.send([(run_id(1), b"k")]), return_exceptions=True
        )
        assert isinstance(results[1], UnicodeEncodeError)
        assert [row.body for row in await store.inbox(0, 10)] == [b"k"]
        assert await store.load_run(run_id(1)) is not None

    async def test_a_turn_sees_the_turns_before_it_in_the_same_batch(self, store: Store) -> None:
        outcomes = await store.commit([turn(1), turn(2), turn(1, 2), turn(1, 3), turn(2, 2), turn(1, 3)])
        assert [type(o) for o in outcomes] == [Committed] * 5 + [Stale]
        one, two = await store.load_run(run_id(1)), await store.load_run(run_id(2))
        assert one is not None
        assert two is not None
        assert (one.version, two.version) == (3, 2)

    async def test_many_turns_at_once_keep_their_outcomes_in_order(self, store: Store) -> None:
        batch = [turn(n, messages=((run_id(n), b"%d" % n),)) for n in range(200)]
        outcomes = await store.commit(batch)
        inbox = [o.inbox[0] for o in outcomes if isinstance(o, Committed)]
        assert [(row.run_id, row.body) for row in inbox] == [(run_id(n), b"%d" % n) for n in range(200)]
        assert inbox == await store.inbox(0, 1000)

    async def test_no_turns_are_no_outcomes(self, store: Store) -> None:
        assert await store.commit([]) == []

    async def test_the_journal_reads_forwards_and_backwards(self, store: Store) -> None:
        rows = tuple(JournalRow(seq, BEGAN + seq, b"%d" % seq) for seq in range(1, 6))
        await store.commit([turn(1, journal=rows), turn(2)])
        assert await store.journal(run_id(1), 0, 10) == list(rows)
        assert await store.journal(run_id(1), 1, 2) == list(rows[1:3])
        assert await store.journal_tail(run_id(1), 5, 2) == [rows[3], rows[2]]
        assert await store.journal_tail(run_id(1), 1, 2) == []

    async def test_values_are_kept_once_per_run(self, store: Store) -> None:
        await store.commit([turn(1, values={b"d1": b"one", b"d2": b"two"}), turn(2, values={b"d1": b"one"})])
        await store.commit([turn(1, 2, values={b"d1": b"one", b"d3": b"three"})])
        assert await store.load_values(run_id(1), [b"d1", b"d3", b"d9"]) == {b"d1": b"one", b"d3": b"three"}
        assert await store.load_values(run_id(2), [b"d2", b"d1"]) == {b"d1": b"one"}

    async def test_checkpoints_are_found_from_the_sequence_number(self, store: Store) -> None:
        await store.commit([turn(1, checkpoint=True), turn(1, 2), turn(1, 3, checkpoint=True), turn(1, 4)])
        assert await store.checkpoint(run_id(1), 9) == (3, b"state 3")
        assert await store.checkpoint(run_id(1), 2) == (1, b"state 1")
        assert await store.checkpoint(run_id(1), 0) is None

    async def test_messages_wait_in_order_until_a_turn_consumes_them(self, store: Store) -> None:
        sent = await store.send([(run_id(1), b"a"), (run_id(2), b"b"), (run_id(1), b"c")])
        assert [row.body for row in sent] == [b"a", b"b", b"c"]
        assert sent == await store.inbox(0, 10)
        assert sent[1:2] == await store.inbox(sent[0].seq, 1)
        await store.commit([turn(1, consumed=(sent[0].seq, sent[2].seq))])
        assert await store.inbox(0, 10) == [sent[1]]

    async def test_a_message_number_never_comes_again(self, store: Store) -> None:
        (last,) = await store.send([(run_id(1), b"a")])
        await store.commit([turn(1, consumed=(last.seq,))])
        (next_one,) = await store.send([(run_id(1), b"b")])
        assert next_one.seq > last.seq

    async def test_a_turn_sends_to_other_runs_in_its_own_transaction(self, store: Store) -> None:
        outcome = committed(await store.commit([turn(1, messages=((run_id(2), b"x"), (run_id(3), b"y")))]))
        assert [(r.run_id, r.body) for r in outcome.inbox] == [(run_id(2), b"x"), (run_id(3), b"y")]
        assert list(outcome.inbox) == await store.inbox(0, 10)

    async def test_messages_for_nobody_can_be_discarded(self, store: Store) -> None:
        one, two = await store.send([("gone", b"a"), (run_id(1), b"b")])
        assert await store.discard_inbox([one.seq, 999]) == 1
        assert await store.inbox(0, 10) == [two]

    async def test_a_start_key_belongs_to_one_run(self, store: Store) -> None:
        assert [type(o) for o in await store.commit([turn(1)], [key("k", 1)])] == [Committed]
        assert await store.commit([turn(2)], [key("k", 2)]) == [Stale()]
        assert await store.load_run(run_id(2)) is None
        assert await store.start_key("default", "demo", "k") == key("k", 1)
        assert await store.start_key("default", "other", "k") is None

    async def test_two_starts_by_one_key_at_the_same_time_make_one_run(self, store: Store) -> None:
        outcomes = await asyncio.gather(*(store.commit([turn(n)], [key("k", n)]) for n in range(1, 6)))
        assert [type(o) for (o,) in outcomes].count(Committed) == 1
        winner = await store.start_key("default", "demo", "k")
        assert winner is not None
        assert [row.id for row in await store.list_runs(limit=10)] == [winner.run_id]

    async def test_due_runs_come_in_the_order_of_their_time(self, store: Store) -> None:
        times = {1: BEGAN + 30, 2: BEGAN + 10, 3: None, 4: BEGAN + 20}
        await store.commit([turn(n, run={"next_at": at}) for n, at in times.items()])
        assert await store.due_runs(BEGAN + 20, 10) == [(run_id(2), BEGAN + 10), (run_id(4), BEGAN + 20)]
        assert await store.due_runs(BEGAN + 99, 1) == [(run_id(2), BEGAN + 10)]
        assert await store.next_due_at(BEGAN + 20) == BEGAN + 30
        assert await store.next_due_at(BEGAN + 30) is None
        await store.commit([turn(2, 2, run={"next_at": None})])
        assert await store.due_runs(BEGAN + 10, 10) == []

    async def test_calling_runs_are_found_again(self, store: Store) -> None:
        await store.commit([turn(n, run={"calling": n != 2}) for n in range(1, 5)])
        assert await store.calling_runs("", 2) == [run_id(1), run_id(3)]
        assert await store.calling_runs(run_id(3), 2) == [run_id(4)]
        await store.commit([turn(1, 2)])
        assert await store.calling_runs("", 1) == [run_id(3)]

    async def test_concurrent_writers_share_commits(self, store: Store) -> None:
        before = store.statistics()
        outcomes = await asyncio.gather(*(store.commit([turn(n)]) for n in range(300)))
        after = store.statistics()
        assert all(isinstance(o, Committed) for (o,) in outcomes)
        assert after.turns - before.turns == 300
        assert after.commits - before.commits < 30
        assert after.queue_length == 0

    async def test_a_cancelled_caller_does_not_disturb_the_others(self, store: Store) -> None:
        calls = [asyncio.ensure_future(store.commit([turn(n)])) for n in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(r) for r in results] == [list, asyncio.CancelledError, list]
        assert isinstance((await store.commit([turn(9)]))[0], Committed)

    async def test_deleting_takes_ended_runs_with_all_that_is_theirs(self, store: Store) -> None:
        labels = {"labels": {"a": "b"}, "status": "faulted", "ended_at": BEGAN}
        await store.commit(
            [turn(1, run=labels, values={b"d": b"v"}, checkpoint=True), turn(2), ended(3)], [key("k", 1)]
        )
        await store.send([(run_id(1), b"late"), (run_id(2), b"kept")])
        assert await store.delete_runs([run_id(1), run_id(2), run_id(7)]) == 1
        assert [row.id for row in await store.list_runs(limit=9)] == [run_id(3), run_id(2)]
        assert await store.journal(run_id(1), 0, 9) == []
        assert await store.load_values(run_id(1), [b"d"]) == {}
        assert await store.checkpoint(run_id(1), 9) is None
        assert await store.start_key("default", "demo", "k") is None
        assert await store.list_runs(labels={"a": "b"}, limit=9) == []
        assert [row.body for row in await store.inbox(0, 9)] == [b"kept"]

    async def test_an_ended_run_has_no_subscriptions(self, store: Store) -> None:
        await store.commit([turn(n, subscribe=(subscription(n, 1, "t"),)) for n in (1, 2)])
        await store.commit([ended(1, 2)])
        assert await store.subscriptions([("t", "")]) == [subscription(2, 1, "t")]
