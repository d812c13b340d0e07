"""What a turn that offers work to tools writes for it."""

import json

from penstock.kernel.commands import Command, Offer, Subscribe, Withdraw
from penstock.kernel.topics import TASK_TOPIC, task_key
from penstock.kernel.values import Value
from penstock.runtime.turn_commit import Writes
from penstock.store.rows import WorkRow

EVENT = {
    "specversion": "1.0",
    "id": "c1",
    "source": "/penstock/runs/r",
    "type": "check.triggered",
    "subject": "/do/0/a",
}


def offer(*tools: str, pushed: tuple[str, ...] = (), token: int = 0) -> Offer:
    return Offer("c1", "check", tools, Value(EVENT), 900, pushed, token)


def written(*commands: Command) -> Writes:
    writes = Writes("r", 100)
    writes.take(commands)
    return writes


def test_an_offer_is_a_row_for_each_tool_and_one_event() -> None:
    writes = written(offer("a", "b", pushed=("b",), token=7000), Subscribe(1, 0, "t", "k"))
    assert [(row.tool, row.kind) for row in writes.offers.values()] == [("a", "pull"), ("b", "push")]
    row = writes.offers["c1", "a"]
    assert row == WorkRow(
        call_id="c1",
        tool="a",
        run_id="r",
        capability="check",
        kind="pull",
        state="waiting",
        token=7000,
        attempts=0,
        due_at=100,
        created_at=100,
        deadline_at=900,
        holder="",
        reason="",
        event=row.event,
    )
    assert json.loads(row.event) == EVENT
    (event,) = writes.events
    assert (event.id, event.run_id, json.loads(event.body)) == ("c1", "r", EVENT)
    assert list(writes.subscribe) == [(1, 0)] and not writes.withdraw


def test_what_is_withdrawn_in_the_same_turn_is_never_written() -> None:
    writes = written(offer("a", "b"), Withdraw("c1"))
    assert not writes.offers and list(writes.withdraw) == ["c1"]


def test_one_tool_alone_is_withdrawn() -> None:
    writes = written(offer("a", "b"), Withdraw("c1", "a"), Withdraw("c2", "a"))
    assert list(writes.offers) == [("c1", "b")]
    assert list(writes.withdraw_tools) == [("c1", "a"), ("c2", "a")] and not writes.withdraw


def test_what_is_offered_anew_stands_behind_what_was_withdrawn() -> None:
    writes = written(Withdraw("c1"), offer("b"))
    assert list(writes.withdraw) == ["c1"] and list(writes.offers) == [("c1", "b")]


def test_only_who_was_offered_before_looks_back_for_answers() -> None:
    task, other = Subscribe(1, 0, TASK_TOPIC.topic, task_key("c1")), Subscribe(2, 0, "t", "k")
    assert [row.entry for row in written(offer("a"), task, other).looking_back] == [2]
    assert [row.entry for row in written(offer("a", token=1000), task, other).looking_back] == [1, 2]
