"""What every store does with events, deliveries and subscriptions."""

import asyncio

from penstock.store import Store
from penstock.store.rows import Delivery, EventRow
from tests.store.samples import BEGAN, committed, event, run_id, subscription, turn


async def put(store: Store, *new: EventRow) -> list[EventRow]:
    stored = await store.put_events(new)
    assert None not in stored
    return [row for row in stored if row is not None]


def ids(rows: list[EventRow]) -> list[str]:
    return [row.id for row in rows]


class EventContract:
    async def test_an_event_is_stored_once(self, store: Store) -> None:
        (first,) = await put(store, event("a", subject="s", run_id="r"))
        again = await store.put_events([event("a", body=b"other"), event("b"), event("b"), event("a", source="/x")])
        assert [row and (row.source, row.id) for row in again] == [None, ("/tests", "b"), None, ("/x", "a")]
        assert await store.list_events(source="/tests", limit=9) == [again[1], first]
        assert again[1] is not None
        assert first.seq < again[1].seq

    async def test_no_events_are_stored_for_nothing(self, store: Store) -> None:
        assert await store.put_events([]) == []

    async def test_a_turn_publishes_in_its_own_transaction(self, store: Store) -> None:
        await put(store, event("known"))
        turns = [turn(1, events=(event("a"), event("known"))), turn(2, events=(event("b"),))]
        one, two = await store.commit(turns)
        assert ids(list(committed([one]).events)) == ["a"]
        assert ids(list(committed([two]).events)) == ["b"]
        assert ids(await store.events_after(0, 9)) == ["known", "a", "b"]

    async def test_an_event_comes_to_a_run_once(self, store: Store) -> None:
        (a,) = await put(store, event("a"))
        first = await store.deliver([Delivery(a.seq, run_id(1), b"m1")])
        again = await store.deliver(
            [Delivery(a.seq, run_id(2), b"m2"), Delivery(a.seq, run_id(1), b"m1"), Delivery(a.seq, run_id(2), b"m3")]
        )
        assert [(row.run_id, row.body) for row in first] == [(run_id(1), b"m1")]
        assert [(row.run_id, row.body) for row in again] == [(run_id(2), b"m2")]
        assert await store.inbox(0, 9) == first + again

    async def test_many_events_are_delivered_in_the_order_of_the_call(self, store: Store) -> None:
        rows = await put(store, *(event(f"e{n}") for n in range(50)))
        await store.deliver([Delivery(rows[7].seq, run_id(1), b"before")])
        deliveries = [Delivery(row.seq, run_id(n), b"%d %d" % (row.seq, n)) for row in rows for n in (3, 1, 2)]
        delivered = await store.deliver(deliveries)
        expected = [d for d in deliveries if (d.event_seq, d.run_id) != (rows[7].seq, run_id(1))]
        assert [(row.run_id, row.body) for row in delivered] == [(d.run_id, d.body) for d in expected]
        assert (await store.inbox(0, 999))[1:] == delivered
        assert [row.seq for row in delivered] == sorted(row.seq for row in delivered)

    async def test_nothing_is_delivered_for_nothing(self, store: Store) -> None:
        assert await store.deliver([]) == []

    async def test_an_event_comes_once_even_after_its_message_is_consumed(self, store: Store) -> None:
        (a,) = await put(store, event("a"))
        (row,) = await store.deliver([Delivery(a.seq, run_id(1), b"m")])
        await store.commit([turn(1, consumed=(row.seq,))])
        assert await store.deliver([Delivery(a.seq, run_id(1), b"m")]) == []

    async def test_deliveries_at_the_same_time_make_one_message(self, store: Store) -> None:
        (a,) = await put(store, event("a"))
        await asyncio.gather(*(store.deliver([Delivery(a.seq, run_id(1), b"m")]) for _ in range(8)))
        assert len(await store.inbox(0, 9)) == 1

    async def test_an_event_goes_to_many_runs(self, store: Store) -> None:
        (a,) = await put(store, event("a"))
        rows = await store.deliver([Delivery(a.seq, run_id(n), b"%d" % n) for n in range(150)])
        assert [row.run_id for row in rows] == [run_id(n) for n in range(150)]

    async def test_events_are_read_on_from_a_number(self, store: Store) -> None:
        a, b, c = await put(store, event("a", expires_at=BEGAN - 1), event("b"), event("c", type="x"))
        assert await store.events_after(0, 2) == [a, b]
        assert await store.events_after(a.seq, 9) == [b, c]
        assert await store.events_after(c.seq, 9) == []

    async def test_what_was_routed_is_kept_and_never_goes_back(self, store: Store) -> None:
        assert await store.routed_until() == 0
        _, b, c = await put(store, event("a"), event("b"), event("c"))
        assert await store.routed_until() == 0
        await store.keep_routed(b.seq)
        assert await store.routed_until() == b.seq
        await store.keep_routed(b.seq - 1)
        assert await store.routed_until() == b.seq
        await store.keep_routed(c.seq)
        assert await store.routed_until() == c.seq

    async def test_late_listeners_see_what_has_not_expired(self, store: Store) -> None:
        a, b, c = await put(
            store,
            event("a", expires_at=BEGAN + 10),
            event("b", expires_at=BEGAN + 20),
            event("c", type="x", expires_at=BEGAN + 20),
        )
        assert await store.events_since(now=BEGAN + 9, type=None, after_seq=0, limit=9) == [a, b, c]
        assert await store.events_since(now=BEGAN + 10, type=None, after_seq=0, limit=9) == [b, c]
        assert await store.events_since(now=BEGAN, type="order.placed", after_seq=a.seq, limit=9) == [b]
        assert await store.events_since(now=BEGAN, type="x", after_seq=0, limit=9) == [c]
        assert await store.events_since(now=BEGAN, type=None, after_seq=0, limit=1) == [a]

    async def test_expired_events_go_when_they_are_routed(self, store: Store) -> None:
        rows = await put(
            store,
            event("a", expires_at=BEGAN + 10),
            event("b", expires_at=BEGAN + 20),
            event("c", expires_at=BEGAN + 10),
            event("d", expires_at=BEGAN + 10),
        )
        await store.deliver([Delivery(row.seq, run_id(1), b"m") for row in rows])
        assert await store.expire_events(BEGAN + 10, 9) == 0
        await store.keep_routed(rows[2].seq)
        assert await store.expire_events(BEGAN + 9, 9) == 0
        assert await store.expire_events(BEGAN + 10, 1) == 1
        assert await store.expire_events(BEGAN + 10, 9) == 1
        assert ids(await store.list_events(limit=9)) == ["d", "b"]
        assert ids(await store.list_events(run=run_id(1), limit=9)) == ["b", "d"]

    async def test_events_list_newest_first_by_filters(self, store: Store) -> None:
        a, b, c, d = await put(
            store,
            event("a", run_id=run_id(1)),
            event("b", type="x", subject="s"),
            event("c", source="/x", type="x"),
            event("d"),
        )
        await store.deliver([Delivery(b.seq, run_id(1), b"m")])
        assert await store.list_events(limit=9) == [d, c, b, a]
        assert await store.list_events(limit=2, beyond=d.seq) == [c, b]
        assert await store.list_events(type="x", limit=9) == [c, b]
        assert await store.list_events(type="x", source="/x", limit=9) == [c]
        assert await store.list_events(subject="s", limit=9) == [b]

    async def test_events_of_a_run_list_in_order(self, store: Store) -> None:
        a, b, _, d = await put(
            store, event("a", run_id=run_id(1)), event("b", type="x"), event("c"), event("d", run_id=run_id(1))
        )
        await store.deliver([Delivery(b.seq, run_id(1), b"m")])
        assert await store.list_events(run=run_id(1), limit=9) == [a, b, d]
        assert await store.list_events(run=run_id(1), type="x", limit=9) == [b]
        assert await store.list_events(run=run_id(1), beyond=a.seq, limit=1) == [b]
        assert await store.list_events(run="", limit=9) == []

    async def test_subscriptions_are_found_by_topic_and_key(self, store: Store) -> None:
        one, two, three = subscription(1, 1, "t", "k"), subscription(1, 2, "t", "*"), subscription(2, 1, "u", "k")
        await store.commit([turn(1, subscribe=(one, two)), turn(2, subscribe=(three,))])
        assert await store.subscriptions([("t", "k")]) == [one]
        assert await store.subscriptions([("t", "*"), ("t", "k"), ("t", "k"), ("u", "k")]) == [two, one, three]
        assert await store.subscriptions([("t", "")]) == []
        assert await store.subscriptions([]) == []

    async def test_a_subscription_replaces_the_one_of_its_filter(self, store: Store) -> None:
        await store.commit([turn(1, subscribe=(subscription(1, 1, "t"), subscription(1, 1, "t", filter=1)))])
        await store.commit([turn(1, 2, subscribe=(subscription(1, 1, "u", "k"),))])
        assert await store.subscriptions([("t", ""), ("u", "k")]) == [
            subscription(1, 1, "t", filter=1),
            subscription(1, 1, "u", "k"),
        ]

    async def test_unsubscribing_takes_all_filters_of_an_entry(self, store: Store) -> None:
        mine = (subscription(1, 1, "t"), subscription(1, 1, "t", filter=1), subscription(1, 2, "t"))
        await store.commit([turn(1, subscribe=mine), turn(2, subscribe=(subscription(2, 1, "t"),))])
        await store.commit([turn(1, 2, unsubscribe=(1,))])
        assert await store.subscriptions([("t", "")]) == [subscription(1, 2, "t"), subscription(2, 1, "t")]

    async def test_one_turn_can_unsubscribe_and_subscribe_again(self, store: Store) -> None:
        await store.commit([turn(1, subscribe=(subscription(1, 1, "t"), subscription(1, 1, "t", filter=1)))])
        await store.commit([turn(1, 2, unsubscribe=(1,), subscribe=(subscription(1, 1, "u"),))])
        assert await store.subscriptions([("t", ""), ("u", "")]) == [subscription(1, 1, "u")]

    async def test_subscriptions_are_found_by_their_run(self, store: Store) -> None:
        mine = [subscription(1, 2, "t"), subscription(1, 1, "u", "k", filter=1), subscription(1, 1, "t", "*")]
        await store.commit([turn(1, subscribe=tuple(mine)), turn(2, subscribe=(subscription(2, 1, "t"),))])
        assert await store.subscriptions_of(run_id(1)) == [mine[2], mine[1], mine[0]]
        assert await store.subscriptions_of(run_id(3)) == []

    async def test_subscriptions_are_found_by_their_topic_alone(self, store: Store) -> None:
        one, two = subscription(2, 1, "t", "k"), subscription(1, 1, "t", "j")
        three = subscription(1, 1, "t", "k", filter=1)
        other = subscription(1, 3, "u", "k")
        await store.commit([turn(1, subscribe=(two, three, other)), turn(2, subscribe=(one,))])
        assert await store.subscriptions_to("t", limit=9) == [two, three, one]
        assert await store.subscriptions_to("t", limit=2) == [two, three]
        assert await store.subscriptions_to("t", key="k", limit=9) == [three, one]
        assert await store.subscriptions_to("t", key="k", limit=1) == [three]
        assert await store.subscriptions_to("v", limit=9) == []

    async def test_an_event_is_found_by_its_name_with_the_runs_that_have_it(self, store: Store) -> None:
        (a, b) = await put(store, event("a"), event("a", source="/x"))
        assert await store.event("/x", "a") == b
        assert await store.event("/x", "b") is None
        await store.deliver([Delivery(a.seq, run_id(n), b"m") for n in (2, 3, 1)])
        assert await store.delivered_to(a.seq, 9) == [run_id(1), run_id(2), run_id(3)]
        assert await store.delivered_to(a.seq, 2) == [run_id(1), run_id(2)]
        assert await store.delivered_to(b.seq, 9) == []

    async def test_topics_are_listed_once(self, store: Store) -> None:
        assert await store.subscription_topics() == []
        mine = [subscription(1, n, topic) for n, topic in enumerate(["b", "a", "b", "", "c"])]
        await store.commit([turn(1, subscribe=tuple(mine))])
        assert sorted(await store.subscription_topics()) == ["", "a", "b", "c"]
        await store.commit([turn(1, 2, unsubscribe=(0, 2, 3))])
        assert sorted(await store.subscription_topics()) == ["a", "c"]
