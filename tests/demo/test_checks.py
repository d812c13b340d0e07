"""The demo's checks find what they are for: false data is called false."""

from typing import Any

import pytest

from examples.demo import checks
from examples.demo.call_log import CallLog
from examples.demo.shop import Shop


def fact(kind: str, sequence: str, entry: int = 0) -> dict[str, Any]:
    task = {"task": "/do/0/one", "entry": entry} if kind.startswith("task.") else {}
    return {"type": f"io.serverlessworkflow.{kind}.v1", "id": sequence, "sequence": sequence, "data": task}


def whole_history() -> list[dict[str, Any]]:
    return [
        fact("workflow.started", "0000000001.00000"),
        fact("task.created", "0000000001.00001", 1),
        fact("task.started", "0000000001.00002", 1),
        fact("task.completed", "0000000002.00000", 1),
        fact("workflow.completed", "0000000002.00001"),
    ]


def test_a_whole_history_is_right() -> None:
    assert checks.history_mistakes(whole_history()) == []


@pytest.mark.parametrize("missing", range(5))
def test_a_history_without_one_of_its_facts_is_wrong(missing: int) -> None:
    history = whole_history()
    del history[missing]
    assert checks.history_mistakes(history)


def test_a_history_with_a_transition_twice_is_wrong() -> None:
    history = whole_history()
    again = fact("task.completed", "0000000003.00000", 1)
    assert "/do/0/one (entry 1) ended 2 times" in checks.history_mistakes([*history[:4], again, *history[4:]])


def test_a_history_out_of_order_is_wrong() -> None:
    history = whole_history()
    assert checks.history_mistakes([history[0], history[2], history[1], *history[3:]])


def test_an_empty_history_is_wrong() -> None:
    assert checks.history_mistakes([])


def test_the_expected_output_of_a_text_is_what_the_services_make_of_it() -> None:
    assert checks.text_output("go down") == {"message": "NWOD OG", "space_count": 1}


@pytest.mark.parametrize("wrong", [None, {"message": "X"}, {"message": "A", "space_count": 1}])
def test_a_wrong_or_missing_output_is_found(wrong: dict[str, Any] | None) -> None:
    right = {"message": "A", "space_count": 0}
    assert checks.output_mistakes({"one": right}, {"one": right}) == []
    assert len(checks.output_mistakes({"one": wrong}, {"one": right})) == 1
    assert len(checks.output_mistakes({}, {"one": right})) == 1


def completed(*run_ids: str) -> list[dict[str, Any]]:
    return [{"id": run_id, "status": "completed"} for run_id in run_ids]


def test_a_completed_run_for_each_start_is_right() -> None:
    assert checks.run_mistakes({"a": "1", "b": "2"}, completed("1", "2"), expected=2) == []


@pytest.mark.parametrize(
    ("acknowledged", "runs"),
    [
        ({"a": "1", "b": "2"}, completed("1")),
        ({"a": "1", "b": "1"}, completed("1")),
        ({"a": "1", "b": "2"}, completed("1", "2", "3")),
        ({"a": "1"}, completed("1", "2")),
        ({"a": "1", "b": "2"}, [*completed("1"), {"id": "2", "status": "faulted"}]),
        ({"a": "1", "b": "2"}, [*completed("1"), {"id": "2", "status": "waiting"}]),
    ],
    ids=["lost", "shared", "extra", "not-acknowledged", "faulted", "stuck"],
)
def test_runs_that_do_not_fit_their_starts_are_found(acknowledged: dict[str, str], runs: list[dict[str, Any]]) -> None:
    assert checks.run_mistakes(acknowledged, runs, expected=2)


def test_a_call_sent_again_under_its_key_is_no_mistake_but_counted() -> None:
    calls = CallLog()
    calls.receive("k1", "/tools/upper", b"{}")
    calls.receive("k1", "/tools/upper", b"{}")
    assert checks.call_mistakes(calls, keys=1) == []
    assert (calls.received, calls.repeated) == (2, 1)


@pytest.mark.parametrize(
    ("key", "path"),
    [("k1", "/tools/reverse"), ("k2", "/tools/upper"), ("", "/tools/upper")],
    ids=["key-of-another-call", "second-key-for-one-call", "no-key"],
)
def test_a_call_under_a_wrong_key_is_found(key: str, path: str) -> None:
    calls = CallLog()
    calls.receive("k1", "/tools/upper", b"{}")
    calls.receive(key, path, b"{}")
    assert checks.call_mistakes(calls, keys=1)


@pytest.mark.parametrize("effects", [{1: 1}, {1: 1, 2: 2}, {1: 1, 2: 1, 3: 1}])
def test_an_effect_that_is_missing_double_or_too_many_is_found(effects: dict[int, int]) -> None:
    assert checks.once_mistakes({1: 1, 2: 1}, expected=2) == []
    assert checks.once_mistakes(effects, expected=2)


def test_the_shop_fails_once_and_then_acts_once_for_each_key() -> None:
    shop = Shop()
    assert [shop.answer("stock", key, 7)[0] for key in ("a", "a", "b", "b")] == [503, 503, 200, 200]
    assert shop.reservations == {7: 1}
