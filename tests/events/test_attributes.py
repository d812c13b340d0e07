"""What matches an attribute of an event: literals, patterns, and nothing that could take long."""

import time

import pytest

from penstock.events.attributes import compile_attribute, json_equal, pattern_problem
from penstock.model.limits import MAX_ATTRIBUTE_BYTES, MAX_PATTERN_BYTES


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("com.example.a", "com.example.a", True),
        ("com.example.a", "comXexample.a", False),  # dots alone make no pattern
        ("com.example.a", "com.example.ab", False),
        (r"com\.example\..*", "com.example.b", True),
        (r"com\.example\..*", "XXcom.example.b", False),
        ("com.example.*", "com.example.b.c", True),
        ("a|b", "b", True),
        ("a|b", "ab", False),
        ("a|b", "a|b", True),  # the literal itself
        ("a)|(b", "a", False),  # no pattern
        ("a)|(b", "a)|(b", True),
        ("(?i)alarm", "ALARM", True),
        (r"\d+", "12", True),
        (r"\d+", "٣", False),
        (r"\d+", 12, True),
        (r"\d+", "1\n", False),
        ("^a$", "a", True),
        ("tru.?", True, True),
        ("(a", "(a", True),
        ("(a", "a", False),
        ("5", 5, True),
        (5, "5", True),
        (5, 5, True),
        (5, "6", False),
        (True, "true", True),
        (True, 1, False),
        ("a", None, False),
        ("a.*", None, False),
        ("a.*", ["a"], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ([1], [1], True),
        (None, None, True),
        ("", "", True),
    ],
)
def test_an_attribute(wanted, value, expected):
    assert compile_attribute("type", wanted)(value) is expected


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("a.*", "abc", False),
        ("a.*", "a.*", True),
        ("5", 5, False),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
    ],
)
def test_data_is_only_compared(wanted, value, expected):
    assert compile_attribute("data", wanted)(value) is expected


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*)*b", "(a*)*b", ".*.*.*.*.*b", "(a?){64}a{64}b"])
def test_no_pattern_takes_long(pattern):
    matches = compile_attribute("type", pattern)
    started = time.process_time()
    assert not matches("a" * MAX_ATTRIBUTE_BYTES)
    assert time.process_time() - started < 0.5  # backtracking would take years


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "a{1000}{1000}{1000}", "(", "[", "*"])
def test_what_cannot_be_linear_is_compared_and_can_be_told(pattern):
    matches = compile_attribute("type", pattern)
    assert matches(pattern)
    assert not matches("aa")
    assert "compared as it stands" in (pattern_problem("type", pattern) or "")


def test_a_pattern_at_the_limit_and_one_over():
    fits, over = "a" * (MAX_PATTERN_BYTES - 1) + "*", "a" * MAX_PATTERN_BYTES + "*"
    assert compile_attribute("type", fits)("a" * MAX_PATTERN_BYTES)
    assert pattern_problem("type", fits) is None
    assert not compile_attribute("type", over)("a" * MAX_PATTERN_BYTES)
    assert str(MAX_PATTERN_BYTES) in (pattern_problem("type", over) or "")


@pytest.mark.parametrize(("name", "wanted"), [("type", "a.b"), ("type", "a.*"), ("data", "("), ("type", 5)])
def test_what_is_no_problem(name, wanted):
    assert pattern_problem(name, wanted) is None


def test_equality_is_that_of_json_however_deep():
    left: object = 1
    right: object = 1.0
    for _ in range(100_000):
        left, right = [left], [right]
    assert json_equal(left, right)
    assert not json_equal({"a": 1}, {"b": 1})
    assert not json_equal([1], [1, 2])
    assert not json_equal([0], [False])
    assert not json_equal({}, [])
    while isinstance(left, list) and isinstance(right, list):  # taking them apart by hand: dropping would recurse
        left, right = left.pop(), right.pop()
