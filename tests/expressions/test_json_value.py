"""What the engine can carry as a JSON value, at each limit and one over."""

import pytest

from penstock.model import limits
from penstock.model.json_value import Json, check_json, encoded_depth


def nested(depth: int, value: Json = 1) -> Json:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1.5, "", "é😀\x00", [], {}, [1, {"a": [None]}],
        2**64 - 1, -(2**63), 1.7976931348623157e308, nested(limits.MAX_JSON_DEPTH),
        nested(limits.MAX_JSON_DEPTH - 1, {}),
    ],
)  # fmt: skip
def test_these_are_carried(value: Json) -> None:
    assert check_json(value) is None


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ([{"a": 2**70}], "64 bits"),
        (float("nan"), "not finite"),
        ({"a": float("-inf")}, "not finite"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "not a string"),
        ((1,), "tuple"),
        ({"a": b""}, "bytes"),
        (nested(limits.MAX_JSON_DEPTH + 1), "deeper"),
        (nested(limits.MAX_JSON_DEPTH, []), "deeper"),
        (nested(200_000), "deeper"),
    ],
)
def test_these_are_refused_with_a_reason(value: Json, part: str) -> None:
    reason = check_json(value)
    assert reason is not None and part in reason


@pytest.mark.parametrize(
    ("data", "depth"),
    [
        (b"1", 0),
        (b'"[[[{"', 0),
        (b"[]", 1),
        (b'[{"a[\\"]": [1]}, [[]]]', 3),
        (b'["\\\\", ["\\\\\\"["]]', 2),
        (b"[" * 1000 + b"]" * 1000, 1000),
    ],
)
def test_the_depth_of_a_text_is_that_of_its_brackets(data: bytes, depth: int) -> None:
    assert encoded_depth(data) == depth
