"""The worst case: numbers that no run exceeds, and reasons where there are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model import Bounds, bounds
from penstock.model.json_value import Json
from penstock.model.limits import CALL_TIMEOUT_MS, MAX_LISTEN_EVENTS, MAX_RETRIES, MAX_WAIT_MS
from penstock.model.quantities import Quantity, add, at_most, exactly, most, times, unknown
from tests.model.documents import workflow

CALL = {"call": "http", "with": {"method": "get", "endpoint": "http://example.com/"}}
SET = {"set": {"a": 1}}
WAIT = {"wait": "PT2S"}


def of(*tasks: Json, **members: Json) -> Bounds:
    return bounds(workflow(*tasks, **members))


def retrying(**retry: Json) -> Json:
    return {
        "try": [{"c": {**CALL, "timeout": {"after": "PT1S"}}}],
        "catch": {"retry": retry, "do": [{"s": SET}]},
    }


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([], (0, 0, 0)),
        ([SET, {"raise": {"error": {"type": "http://e", "status": 400}}}], (2, 0, 0)),
        ([SET, WAIT, CALL], (3, 1, 2000 + CALL_TIMEOUT_MS)),
        ([{**CALL, "timeout": {"after": "PT1S"}}], (1, 1, 1000)),
        ([{**CALL, "timeout": {"after": "PT1H"}}], (1, 1, 3_600_000)),
        ([{"call": "capability"}], (1, 1, CALL_TIMEOUT_MS)),
        ([{"do": [{"a": WAIT}, {"b": CALL}], "timeout": {"after": "PT3S"}}], (3, 1, 3000)),
        ([{"for": {"in": [1, 2, 3]}, "do": [{"a": WAIT}, {"b": SET}]}], (7, 0, 6000)),
        ([{"fork": {"branches": [{"a": WAIT}, {"b": {"wait": "PT5S"}}, {"c": SET}]}}], (4, 0, 5000)),
        ([{"switch": [{"a": {"then": "end"}}]}], (1, 0, 0)),
        ([{"listen": {"to": {"one": {"with": {"type": "a"}}}}, "timeout": {"after": "PT9S"}}], (1, 0, 9000)),
        (
            [
                {
                    "listen": {"to": {"all": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}},
                    "foreach": {"do": [{"s": SET}]},
                    "timeout": {"after": "PT9S"},
                }
            ],
            (3, 0, 9000),
        ),
        (
            [
                {
                    "listen": {"to": {"any": [], "until": ".x"}},
                    "foreach": {"do": [{"s": SET}]},
                    "timeout": {"after": "PT9S"},
                }
            ],
            (1 + MAX_LISTEN_EVENTS, 0, 9000),
        ),
        ([{"run": {"workflow": {"namespace": "a", "name": "b"}, "await": False}}], (1, 0, 0)),
        ([retrying(limit={"attempt": {"count": 3}})], (1 + 4 + 1, 4, 4000)),
        ([retrying(limit={"attempt": {"count": 3}}, delay="PT1S")], (6, 4, 4000 + 3000)),
        ([retrying(limit={"attempt": {"count": 3}}, delay="PT1S", backoff={"linear": {}})], (6, 4, 4000 + 6000)),
        ([retrying(limit={"attempt": {"count": 3}}, delay="PT1S", backoff={"exponential": {}})], (6, 4, 4000 + 7000)),
        ([retrying(limit={"attempt": {"count": 2}}, jitter={"from": "PT0S", "to": "PT1S"})], (5, 3, 3000 + 2000)),
        ([retrying(limit={"attempt": {"count": 9, "duration": "PT0.5S"}})], (12, 10, 5000)),
        ([retrying(limit={"duration": "PT10S"})], (1 + MAX_RETRIES + 1 + 1, MAX_RETRIES + 1, 11_000)),
    ],
)
def test_a_bounded_workflow_has_numbers_and_no_reasons(tasks: list[Json], expected: tuple[int, int, int]) -> None:
    assert of(*tasks) == Bounds(*expected)


@pytest.mark.parametrize(
    ("tasks", "expected", "reason"),
    [
        ([SET, {**SET, "then": "t0"}], (None, 0, None), "/do/1/t1 jumps back by 'then'"),
        ([{**CALL, "then": "t0"}], (None, None, None), "/do/0/t0 jumps back"),
        ([{"switch": [{"a": {"when": ".x", "then": "t0"}}]}], (None, 0, None), "jumps back"),
        ([{"try": [], "catch": {"then": "t0"}}], (None, 0, None), "jumps back"),
        ([{"for": {"in": ".x"}, "do": [{"a": SET}]}], (None, 0, 0), "data of unknown length"),
        ([{"for": {"in": ".x"}, "do": [{"a": CALL}]}], (None, None, None), "data of unknown length"),
        ([{"wait": "${ .x }"}], (1, 0, None), "computed time"),
        ([{**CALL, "timeout": {"after": "${ .x }"}}], (1, 1, None), "computed timeout"),
        ([{"listen": {"to": {"any": []}}}], (1, 0, None), "listens without a timeout"),
        (
            [{"run": {"workflow": {"namespace": "a", "name": "b"}}}],
            (None, None, None),
            "runs another workflow",
        ),
        ([retrying(delay="${ .x }", limit={"attempt": {"count": 1}})], (4, 2, None), "computed delay"),
    ],
)
def test_an_unbounded_workflow_says_why(tasks: list[Json], expected: tuple[Json, Json, Json], reason: str) -> None:
    found = of(*tasks)
    assert (found.steps, found.calls, found.time_ms) == expected
    assert reason in "; ".join(found.reasons)


def test_a_timeout_of_the_workflow_bounds_its_time_and_answers_the_reasons() -> None:
    assert of({"wait": "${ .x }"}, timeout={"after": "PT1M"}) == Bounds(1, 0, 60_000)


def test_functions_are_counted_where_they_are_called() -> None:
    functions = {"f": {"do": [{"a": CALL}, {"b": {"call": "g"}}]}, "g": WAIT}
    assert of({"call": "f"}, {"call": "f"}, use={"functions": functions}) == Bounds(10, 2, 2 * (2000 + CALL_TIMEOUT_MS))


def test_a_function_that_calls_itself_is_unbounded() -> None:
    functions = {"f": {"do": [{"a": {"call": "g"}}]}, "g": {"do": [{"b": {"call": "f"}}]}}
    found = of({"call": "f"}, use={"functions": functions})
    assert found.steps is None
    assert "the function 'f' calls itself" in found.reasons


def test_functions_that_fan_out_are_estimated_once_each() -> None:
    levels = 60
    functions = {f"f{i}": {"do": [{"a": {"call": f"f{i + 1}"}}, {"b": {"call": f"f{i + 1}"}}]} for i in range(levels)}
    found = of({"call": "f0"}, use={"functions": {**functions, f"f{levels}": SET}})
    assert found.steps is None
    assert found.reasons == ("a number too large to be of use",)


def test_long_back_off_is_capped_like_every_wait() -> None:
    found = of(retrying(delay="P300D", backoff={"exponential": {}}, limit={"attempt": {"count": 100}}))
    assert found.time_ms is not None
    assert found.time_ms <= 101 * 1000 + 100 * MAX_WAIT_MS


quantities = st.integers(0, 10**6).map(exactly) | st.sampled_from(["a", "b"]).map(unknown)


@given(quantities, quantities, st.integers(0, 10))
def test_the_arithmetic_is_monotone_and_keeps_reasons(first: Quantity, second: Quantity, limit: int) -> None:
    for result in (add(first, second), most((first, second))):
        assert (result.value is None) == (first.value is None or second.value is None)
        assert (result.value is None) == bool(result.reasons)
        if result.value is not None:
            assert result.value >= max(first.value or 0, second.value or 0)
    product = times(first, second)
    assert product.value == 0 if 0 in (first.value, second.value) else (product.value is None) == bool(product.reasons)
    assert (at_most(first, limit).value or 0) <= limit
