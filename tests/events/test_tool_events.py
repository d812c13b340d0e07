"""What tools say about their work, read from their events."""

import pytest

from penstock.events.tool_events import ToolEvent, lease_token, read_finish, read_tool_event
from penstock.model.json_value import Json
from penstock.model.limits import MAX_FAULT_TEXT


def event(**members: Json) -> dict[str, Json]:
    return {"type": "sh.keptn.event.test.finished", "source": "/s", "triggeredid": "t1", **members}


def said(**members: Json) -> ToolEvent:
    found = read_tool_event(event(**members))
    assert found is not None
    return found


def test_an_event_of_a_tool() -> None:
    found = said(penstocktool="a", penstocklease=3, data={"x": 1})
    assert found == ToolEvent("finished", "t1", "a", "/s", 3, {"x": 1}, False)


@pytest.mark.parametrize(
    ("type_", "what"),
    [
        ("test.started", "started"),
        ("test.status.changed", "progress"),
        ("test.finished", "finished"),
        ("test.triggered", None),
        ("test.changed", None),
        ("finished", None),
        (7, None),
    ],
)
def test_the_end_of_the_type_tells_what_it_is(type_: Json, what: str | None) -> None:
    found = read_tool_event(event(type=type_))
    assert (found and found.said) == what


@pytest.mark.parametrize("triggered", [None, "", 7, ["t1"]])
def test_without_what_triggered_it_an_event_is_of_no_tool(triggered: Json) -> None:
    assert read_tool_event(event(triggeredid=triggered)) is None


@pytest.mark.parametrize(
    ("given", "token"),
    [(1, 1), ("12", 12), (0, 0), (-1, 0), (True, 0), (1.5, 0), ("", 0), ("1e3", 0), ("²", 0), ("9" * 11, 0), (None, 0)],
)
def test_the_number_of_a_lease(given: Json, token: int) -> None:
    assert lease_token(given) == token


@pytest.mark.parametrize(
    ("data", "status", "result"),
    [
        ({}, "succeeded", "pass"),
        ({"status": "errored"}, "errored", "fail"),
        ({"status": "unknown"}, "unknown", "fail"),
        ({"status": "unknown", "result": "pass"}, "unknown", "fail"),
        ({"status": "errored", "result": "pass"}, "errored", "pass"),
        ({"result": "warning"}, "succeeded", "warning"),
        ({"result": "fail"}, "succeeded", "fail"),
        ({"status": None, "result": None}, "succeeded", "pass"),
        ({"status": "Succeeded"}, "unknown", "fail"),
        ({"status": {}}, "unknown", "fail"),
        ({"result": "ok"}, "succeeded", "fail"),
        ({"result": ["pass"]}, "succeeded", "fail"),
        ("text", "errored", "fail"),
    ],
)
def test_status_and_result(data: Json, status: str, result: str) -> None:
    finish = read_finish(said(data=data))
    assert (finish.status, finish.result) == (status, result)


def test_what_is_left_of_the_data_is_the_output() -> None:
    finish = read_finish(said(data={"status": "succeeded", "message": "m", "x": 1, "y": [2]}))
    assert (finish.rest, finish.message, finish.told) == ({"x": 1, "y": [2]}, "m", ("status",))


def test_a_message_is_cut_and_one_that_is_no_text_left_out() -> None:
    assert read_finish(said(data={"message": "m" * (MAX_FAULT_TEXT + 1)})).message == "m" * MAX_FAULT_TEXT
    assert read_finish(said(data={"message": 5})).message == ""


def test_data_that_is_no_json_is_an_error_of_the_tool() -> None:
    assert read_finish(said(data_base64="AAAA")).status == "errored"
