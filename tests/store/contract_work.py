"""What every store does with work that tools take by event."""

import asyncio
from collections.abc import Sequence

from penstock.model.json_value import Json
from penstock.store import Store
from penstock.store.rows import RunCommit, Stale, WorkRow
from tests.store.samples import BEGAN, committed, ended, run_id, turn

SOON = BEGAN + 1_000
LATER = BEGAN + 60_000


def work(call: str, tool: str = "t", **changes: Json) -> WorkRow:
    """Pulled work of run 1 that waits since `BEGAN`."""
    plain: dict[str, Json] = {
        "call_id": call,
        "tool": tool,
        "run_id": run_id(1),
        "capability": "check",
        "kind": "pull",
        "state": "waiting",
        "token": 0,
        "attempts": 0,
        "due_at": BEGAN,
        "created_at": BEGAN,
        "deadline_at": LATER,
        "holder": "",
        "reason": "",
        "event": b"event of " + call.encode(),
    }
    return WorkRow(**plain | changes)


def push(call: str, tool: str = "p", **changes: Json) -> WorkRow:
    return work(call, tool, kind="push", **changes)


def offering(*offers: WorkRow, number: int = 1, version: int = 1, **changes: Json) -> RunCommit:
    return turn(number, version, offers=offers, **changes)


async def offer(store: Store, *offers: WorkRow) -> None:
    committed(await store.commit([offering(*offers)]))


async def lease(
    store: Store, tool: str = "t", *, now: int = SOON, until: int = LATER, holder: str = "me", limit: int = 9
) -> list[WorkRow]:
    return await store.lease_work(tool, now=now, until=until, holder=holder, limit=limit)


async def push_went(store: Store, call: str, attempts: int, state: str, due_at: int = SOON, reason: str = "") -> bool:
    options: dict[str, Json] = {"state": state, "attempts": attempts, "due_at": due_at, "reason": reason}
    return await store.push_result(call, "p", **options)


def calls(rows: Sequence[WorkRow]) -> list[str]:
    return [row.call_id for row in rows]


class OfferContract:
    async def test_work_is_stored_with_all_that_was_given(self, store: Store) -> None:
        full = work("a", token=3, attempts=2, holder="h", reason="r", event=bytes(range(256)) * 40)
        await offer(store, full)
        assert await store.list_work(limit=9) == [full]

    async def test_work_is_offered_only_by_turns_that_hold(self, store: Store) -> None:
        turns = [offering(work("a")), offering(work("b")), offering(work("c", run_id=run_id(2)), number=2)]
        outcomes = await store.commit(turns)
        assert outcomes[1] == Stale()
        assert calls(await store.list_work(limit=9)) == ["a", "c"]
        assert await store.commit([turn(1, 7, withdraw=("a", "c"))]) == [Stale()]
        assert calls(await store.list_work(limit=9)) == ["a", "c"]

    async def test_an_offer_replaces_the_one_of_its_call_and_tool(self, store: Store) -> None:
        await offer(store, work("a"), work("a", "u"))
        (first,) = await lease(store)
        later = work("a", capability="other", due_at=BEGAN + 1, event=b"new")
        await store.commit([offering(work("a", event=b"lost"), later, version=2)])
        assert not await store.renew_work("a", "t", first.token, LATER), "it waits again"
        (second,) = await lease(store)
        assert (second.event, second.capability) == (b"new", "other")
        assert second.token > first.token, "no token is given twice"
        assert calls(await lease(store, "u")) == ["a"]

    async def test_a_turn_withdraws_the_work_of_a_call(self, store: Store) -> None:
        await offer(store, work("a"), work("a", "u"), push("a"), work("b"))
        (leased, _) = await lease(store)
        await store.commit([turn(1, 2, withdraw=("a", "no such call"))])
        assert calls(await store.list_work(limit=9)) == ["b"]
        assert not await store.renew_work("a", "t", leased.token, LATER)
        assert not await store.return_work("a", "t", leased.token)
        assert not await push_went(store, "a", 1, "sent")
        assert calls(await store.list_work(limit=9)) == ["b"]

    async def test_a_turn_withdraws_the_work_of_one_tool(self, store: Store) -> None:
        await offer(store, work("a"), work("a", "u"), work("b"))
        await store.commit([turn(1, 2, withdraw_tools=(("a", "t"), ("b", "u")))])
        assert [(row.call_id, row.tool) for row in await store.list_work(limit=9)] == [("a", "u"), ("b", "t")]

    async def test_one_turn_can_withdraw_and_offer_again(self, store: Store) -> None:
        await offer(store, work("a"), work("a", "u"))
        await store.commit([offering(work("a", event=b"new"), version=2, withdraw=("a",))])
        assert await store.list_work(limit=9) == [work("a", event=b"new")]

    async def test_many_offers_share_a_transaction(self, store: Store) -> None:
        offers = [work(f"c{n:03}", f"t{n % 3}", run_id=run_id(n % 5)) for n in range(200)]
        turns = [offering(*(o for o in offers if o.run_id == run_id(n)), number=n) for n in range(5)]
        await store.commit(turns)
        assert await store.list_work(limit=999) == offers
        gone = [turn(n, 2, withdraw=tuple(o.call_id for o in offers[:150] if o.run_id == run_id(n))) for n in range(5)]
        await store.commit(gone)
        assert await store.list_work(limit=999) == offers[150:]

    async def test_an_ended_run_has_no_work(self, store: Store) -> None:
        await offer(store, work("a"), push("b"))
        await store.commit([offering(work("c", run_id=run_id(2)), number=2)])
        await lease(store, limit=1)
        await store.commit([ended(1, 2, offers=(work("d"),))])
        assert calls(await store.list_work(limit=9)) == ["c"]
        await store.commit([ended(2, 2)])
        assert await store.count_work() == {}

    async def test_deleting_runs_takes_their_work(self, store: Store) -> None:
        """Only of ended ones; what such a run has got by another's turn goes, too."""
        await store.commit([ended(1), turn(2)])
        await store.commit([offering(work("a"), work("b", run_id=run_id(2)), number=2, version=2)])
        assert await store.delete_runs([run_id(1), run_id(2)]) == 1
        assert calls(await store.list_work(limit=9)) == ["b"]


class LeaseContract:
    async def test_what_waits_is_leased_the_longest_due_first(self, store: Store) -> None:
        await offer(store, work("a", due_at=BEGAN + 3), work("b", due_at=BEGAN + 1), work("c", due_at=BEGAN + 2))
        (first,) = await lease(store, limit=1)
        assert first == work("b", state="leased", token=1, attempts=1, due_at=LATER, holder="me")
        rest = await lease(store, holder="you")
        assert calls(rest) == ["c", "a"]
        assert await lease(store) == []
        assert await store.list_work(limit=9) == sorted([first, *rest], key=lambda row: row.call_id)

    async def test_work_that_came_together_is_leased_by_its_call(self, store: Store) -> None:
        await offer(store, *(work(name) for name in "dbca"))
        assert calls(await lease(store, limit=3)) == ["a", "b", "c"]

    async def test_only_due_work_of_that_tool_is_leased(self, store: Store) -> None:
        others = (work("b", "u"), push("c", "t"), work("d", state="dead"), work("e", state="sent"))
        await offer(store, work("a", due_at=SOON), work("f", due_at=SOON + 1), *others)
        assert calls(await lease(store)) == ["a"]
        assert calls(await lease(store, now=SOON + 1)) == ["f"]
        assert await lease(store, "nobody") == []

    async def test_two_askers_never_get_the_same_work(self, store: Store) -> None:
        await offer(store, *(work(f"c{n:02}") for n in range(40)))
        found = await asyncio.gather(*(lease(store, holder=f"h{n}", limit=7) for n in range(8)))
        got = [row.call_id for rows in found for row in rows]
        assert sorted(got) == [f"c{n:02}" for n in range(40)]
        held = {row.call_id: row.holder for row in await store.list_work(limit=99)}
        assert held == {row.call_id: row.holder for rows in found for row in rows}

    async def test_a_lease_that_ended_is_given_again_before_what_waits(self, store: Store) -> None:
        await offer(store, *(work(name) for name in "abc"))
        old, _ = await lease(store, until=SOON + 5, limit=2)
        assert await lease(store, now=SOON + 4, limit=0) == []
        assert calls(await lease(store, now=SOON + 4, until=SOON + 9)) == ["c"]
        await store.commit([offering(work("d"), version=2)])
        again = await lease(store, now=SOON + 5, holder="you", limit=2)
        assert [(row.call_id, row.token, row.attempts, row.holder) for row in again] == [
            ("a", 2, 2, "you"),
            ("b", 2, 2, "you"),
        ]
        assert calls(await lease(store, now=SOON + 9)) == ["c", "d"]
        assert not await store.renew_work("a", "t", old.token, LATER + 9)
        assert not await store.return_work("a", "t", old.token)
        assert (await store.list_work(limit=1))[0] == again[0]

    async def test_a_lease_goes_on_when_it_is_renewed(self, store: Store) -> None:
        await offer(store, work("a"))
        (row,) = await lease(store, until=SOON + 5)
        assert await store.renew_work("a", "t", row.token, SOON + 9)
        assert await lease(store, now=SOON + 8) == []
        assert await store.renew_work("a", "t", row.token, SOON + 20), "nobody else has it, though it has ended"
        assert calls(await lease(store, now=SOON + 20)) == ["a"]
        assert not await store.renew_work("a", "t", row.token, LATER)
        assert not await store.renew_work("a", "u", 2, LATER)
        assert not await store.renew_work("b", "t", 1, LATER)

    async def test_what_was_returned_is_at_its_old_place(self, store: Store) -> None:
        await offer(store, work("a", due_at=BEGAN), work("b", due_at=BEGAN + 1, created_at=BEGAN + 1))
        (row,) = await lease(store, limit=1)
        assert await store.return_work("a", "t", row.token)
        assert not await store.return_work("a", "t", row.token)
        assert not await store.renew_work("a", "t", row.token, LATER)
        assert (await store.list_work(limit=1))[0] == work("a", token=1, attempts=1)
        assert [(r.call_id, r.token) for r in await lease(store)] == [("a", 2), ("b", 1)]

    async def test_what_was_returned_for_later_waits_until_then(self, store: Store) -> None:
        await offer(store, work("a"))
        (row,) = await lease(store)
        assert await store.return_work("a", "t", row.token, due_at=SOON + 5)
        assert await lease(store, now=SOON + 4) == []
        assert calls(await lease(store, now=SOON + 5)) == ["a"]

    async def test_it_is_known_when_work_can_be_leased_next(self, store: Store) -> None:
        assert await store.next_work_at("t") is None
        others = (push("x", "t"), work("y", "u"), work("z", state="dead"))
        await offer(store, work("a", due_at=SOON), work("b", due_at=SOON + 7), *others)
        assert await store.next_work_at("t") == SOON
        await lease(store, until=SOON + 9)
        assert await store.next_work_at("t") == SOON + 7
        await lease(store, now=SOON + 7, until=SOON + 20)
        assert await store.next_work_at("t") == SOON + 9


class PushContract:
    async def test_pushes_are_due_the_earliest_first(self, store: Store) -> None:
        assert await store.next_push_at() is None
        await offer(store, push("a", due_at=SOON + 2), push("b", "q", due_at=SOON), push("c", due_at=SOON), work("d"))
        assert await store.next_push_at() == SOON
        due = await store.push_due(SOON + 1, 9)
        assert due == [push("b", "q", due_at=SOON), push("c", due_at=SOON)]
        assert calls(await store.push_due(SOON + 2, 2)) == ["b", "c"]
        assert calls(await store.push_due(SOON + 2, 9)) == ["b", "c", "a"]
        assert await store.push_due(SOON - 1, 9) == []

    async def test_a_push_is_tried_until_it_is_sent(self, store: Store) -> None:
        await offer(store, push("a", due_at=BEGAN))
        assert await push_went(store, "a", 1, "waiting", SOON, "no answer")
        assert await store.next_push_at() == SOON
        (row,) = await store.push_due(SOON, 9)
        assert row == push("a", attempts=1, due_at=SOON, reason="no answer")
        assert await push_went(store, "a", 2, "sent", SOON + 1)
        assert await store.push_due(LATER, 9) == []
        assert await store.next_push_at() is None
        assert await store.list_work(limit=9) == [push("a", state="sent", attempts=2, due_at=SOON + 1)]

    async def test_an_attempt_is_told_once(self, store: Store) -> None:
        """One that two nodes tried, one after the other, is not sent and tried again."""
        await offer(store, push("a"), work("a"))
        assert await push_went(store, "a", 1, "waiting")
        assert not await push_went(store, "a", 1, "sent")
        assert not await push_went(store, "a", 3, "sent")
        assert await push_went(store, "a", 2, "sent")
        assert not await push_went(store, "a", 3, "waiting")
        assert not await store.push_result("a", "t", state="sent", attempts=1, due_at=SOON, reason="")
        assert await store.count_work() == {("p", "sent"): 1, ("t", "waiting"): 1}

    async def test_dead_letters_wait_for_people(self, store: Store) -> None:
        await offer(store, push("a"), push("b"), push("c"), push("d", "q"))
        for name in "abc":
            await push_went(store, name, 1, "dead", LATER, "refused")
        await store.push_result("d", "q", state="dead", attempts=1, due_at=LATER, reason="")
        assert await store.push_due(LATER, 9) == []
        assert (await store.list_work(tool="p", state="dead", limit=1))[0].reason == "refused"
        assert await store.redeliver(tool="p", call_id="b") == 1
        assert await store.push_due(BEGAN, 9) == [push("b")]
        assert await store.redeliver(tool="p", call_id="b") == 0
        assert await store.redeliver(tool="p") == 2
        assert calls(await store.push_due(BEGAN, 9)) == ["a", "b", "c"]
        assert await store.count_work() == {("p", "waiting"): 3, ("q", "dead"): 1}
        assert await push_went(store, "a", 1, "sent")

    async def test_dead_pulled_work_can_be_leased_again(self, store: Store) -> None:
        await offer(store, work("a", state="dead", token=4, attempts=5, reason="too often"))
        assert await lease(store) == []
        assert await store.redeliver(tool="t") == 1
        assert [(row.token, row.attempts) for row in await lease(store)] == [(5, 1)]


class WorkListContract:
    async def test_work_lists_in_pages_the_oldest_first(self, store: Store) -> None:
        rows = [work(f"c{n}", tool, created_at=BEGAN + n // 2) for n in range(6) for tool in ("t", "u")]
        await offer(store, *reversed(rows))
        assert await store.list_work(limit=99) == rows
        found: list[WorkRow] = []
        while page := await store.list_work(after=_place(found), limit=5):
            found += page
        assert found == rows
        assert await store.list_work(tool="u", after=_place(rows[:3]), limit=2) == [rows[3], rows[5]]

    async def test_work_lists_by_tool_and_state(self, store: Store) -> None:
        rows = [
            work("a", state="dead"),
            work("b", state="sent"),
            push("c", state="dead"),
            work("d", state="dead"),
            work("e"),
        ]
        await offer(store, *rows)
        assert calls(await store.list_work(state="dead", limit=9)) == ["a", "c", "d"]
        assert calls(await store.list_work(state="dead", tool="t", limit=9)) == ["a", "d"]
        assert calls(await store.list_work(state="dead", after=(BEGAN, "a", "t"), limit=1)) == ["c"]
        assert calls(await store.list_work(state="waiting", tool="t", limit=9)) == ["e"]
        assert calls(await store.list_work(state="sent", limit=9)) == ["b"]
        assert await store.list_work(tool="nobody", limit=9) == []

    async def test_work_is_counted_by_tool_and_state(self, store: Store) -> None:
        assert await store.count_work() == {}
        await offer(store, work("a"), work("b"), work("c"), push("d"), work("a", "u", state="dead"))
        await lease(store, limit=1)
        assert await store.count_work() == {
            ("t", "leased"): 1,
            ("t", "waiting"): 2,
            ("p", "waiting"): 1,
            ("u", "dead"): 1,
        }


def _place(rows: list[WorkRow]) -> tuple[int, str, str] | None:
    return (rows[-1].created_at, rows[-1].call_id, rows[-1].tool) if rows else None


class WorkContract(OfferContract, LeaseContract, PushContract, WorkListContract):
    """All about work."""
