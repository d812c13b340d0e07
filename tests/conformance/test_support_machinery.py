"""The machinery suite's matchers, readers and recorder, proved without an engine."""

from fnmatch import fnmatch

import pytest

from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir

from .support.client import Answer, api_client
from .support.http_matchers import body_differences
from .support.machinery import (
    MachineryRun,
    answer_differences,
    filled_in,
    http_case_of,
    read_http_cases,
    wanted_of_superset,
)
from .support.recorder import running_recorder
from .test_machinery_cases import FAILING_SERVICE, ROWS_BY_NAME, rows_of

CASES = read_http_cases(conformance_dir() / "machinery" / "http-cases.json")


def test_all_cases_are_read_and_carry_their_rows() -> None:
    assert len(CASES) == 77
    assert sum("M094" in rows_of(case) for case in CASES) == 15
    assert sum("M097" in rows_of(case) for case in CASES) == 3
    unused = [pattern for pattern in ROWS_BY_NAME if not any(fnmatch(case.name, pattern) for case in CASES)]
    assert unused == []


def test_the_cases_with_a_failing_service_are_the_ones_that_want_502() -> None:
    assert {case.name for case in CASES if case.expect["status"] == 502} == set(FAILING_SERVICE)


def test_superset_replaces_member_by_member() -> None:
    measured = {"status": 201, "body": {"a": 1}}
    assert wanted_of_superset(measured, None) == measured
    assert wanted_of_superset(measured, {"status": 201, "body": {"b": 2}, "note": "n"}) == {
        "status": 201,
        "body": {"b": 2},
    }
    assert wanted_of_superset(measured, {"status": 201}) == measured
    assert wanted_of_superset({"status": 405, "allow": ["POST"]}, {"status": 200}) == {"status": 200}


def test_variables_are_filled_in_at_every_depth() -> None:
    assert filled_in({"a": ["${X}/e", 1]}, {"X": "http://h"}) == {"a": ["http://h/e", 1]}
    with pytest.raises(KeyError):
        filled_in("${UNKNOWN}", {})


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": {"$type": "string", "$minLength": 1}}, {"a": "x"}),
        ({"$has": {"a": 1}}, {"a": 1, "b": 2}),
        ({"a": {"$type": "string", "$format": "date-time"}}, {"a": "2026-01-02T03:04:05.678Z"}),
        ([1, {"a": []}], [1, {"a": []}]),
    ],
)
def test_bodies_that_match(expected: Json, actual: Json) -> None:
    assert body_differences(expected, actual, further_members=False) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {}),
        ({"a": 1}, [1]),
        ({"a": {"$type": "string", "$minLength": 1}}, {"a": ""}),
        ({"a": {"$type": "string", "$minLength": 1}}, {"a": 1}),
        ({"$has": {"a": {"b": 1}}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"$format": "date-time"}}, {"a": "2026-13-02T03:04:05Z"}),
        ({"a": {"$format": "date-time"}}, {"a": "yesterday"}),
        ([1, 2], [1]),
    ],
)
def test_bodies_that_do_not_match(expected: Json, actual: Json) -> None:
    assert body_differences(expected, actual, further_members=False) != []


def test_an_unknown_matcher_is_an_error() -> None:
    with pytest.raises(ValueError, match="guess"):
        body_differences({"$guess": 1}, 1, further_members=False)


def _answer(status: int, text: str = "", **headers: str) -> Answer:
    return Answer("POST /x", status, headers, text)


def test_answers_are_judged_by_status_body_and_allow() -> None:
    assert answer_differences({"status": [400, 422]}, _answer(422), "/e/x") == []
    assert answer_differences({"status": 201}, _answer(200), "/e/x") != []
    assert answer_differences({"status": 204, "empty": True}, _answer(204), "/healthcheck") == []
    assert answer_differences({"status": 204, "empty": True}, _answer(204, "x"), "/healthcheck") != []
    allow = {"status": 405, "allow": ["OPTIONS", "POST"]}
    assert answer_differences(allow, _answer(405, allow="POST, OPTIONS, HEAD"), "/e/x") == []
    assert answer_differences(allow, _answer(405, allow="POST"), "/e/x") != []


def test_only_receipts_and_errors_may_say_more() -> None:
    expect = {"status": [201, 409], "body": {"a": 1}}
    more = '{"a": 1, "b": 2}'
    assert answer_differences(expect, _answer(201, more), "/s") == []
    assert answer_differences(expect, _answer(409, more), "/e/x") == []
    assert answer_differences(expect, _answer(201, more), "/e/x") != []


async def test_recorder_and_captured_variables() -> None:
    case = http_case_of(
        {
            "name": "n",
            "group": "observed",
            "target": "recorder",
            "setup": [
                {
                    "target": "recorder",
                    "request": {"method": "POST", "path": "/rec/a", "json": "b"},
                    "expect": {"status": 200},
                    "capture": {"KEY": "seen_a"},
                }
            ],
            "request": {"method": "POST", "path": "/rec/${KEY}", "json": {"m": 1}},
            "expect": {"status": 200, "body": {"seen_b": {"m": 1}}},
        }
    )
    async with running_recorder() as recorder, api_client(recorder.base_url) as api:
        assert await MachineryRun({"recorder": api}, {}).play(case) == []
        assert recorder.received == [("/rec/a", "b"), ("/rec/b", {"m": 1})]
        assert (await api.send_json("POST", "/fail", {})).expect(500).body == {"error": "boom"}
        assert (await api.send_json("POST", "/list", {})).expect(200).body == [1, 2]


async def test_a_failing_setup_is_told_and_ends_the_case() -> None:
    case = http_case_of(
        {
            "name": "n",
            "group": "observed",
            "target": "recorder",
            "setup": [
                {
                    "target": "recorder",
                    "request": {"method": "POST", "path": "/fail", "json": {}},
                    "expect": {"status": 201},
                }
            ],
            "request": {"method": "POST", "path": "/list", "json": {}},
            "expect": {"status": 200},
        }
    )
    async with running_recorder() as recorder, api_client(recorder.base_url) as api:
        problems = await MachineryRun({"recorder": api}, {}).play(case)
    assert len(problems) == 1
    assert "setup /fail: status: expected 201, actual 500" in problems[0]
    assert [path for path, _ in recorder.received] == ["/fail"]
