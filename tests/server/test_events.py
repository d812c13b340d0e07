"""Events over HTTP: every form of a CloudEvent in, structured ones out, and live."""

import json

import pytest

from penstock.model.json_value import Json
from tests.server.client import Client, workflow
from tests.server.support import PROBLEM

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def event(number: int = 1, **members: Json) -> Json:
    return {"specversion": "1.0", "id": f"e{number}", "source": "/tests", "type": "test.go", **members}


async def test_a_structured_event_is_taken_and_listed(client: Client) -> None:
    sent = event(subject="s", data={"n": 1})
    answer = await client.send("POST", "/api/v1/events", text=json.dumps(sent), media=STRUCTURED)
    assert answer.status == 202, answer
    for query, found in (
        ("", 1),
        ("type=test.go", 1),
        ("type=other", 0),
        ("source=/tests", 1),
        ("subject=s", 1),
        ("subject=t", 0),
    ):
        items = (await client.get(f"/api/v1/events?{query}")).body["items"]
        assert len(items) == found, query
    [item] = (await client.get("/api/v1/events")).body["items"]
    assert sent.items() <= item.items()


async def test_binary_and_batch_events_are_taken_once_each(client: Client) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/tests", "ce-type": "test.go"}
    binary = await client.post("/api/v1/events", {"n": 1}, headers=headers)
    assert binary.status == 202, binary
    batch = [event(1), event(2), event(3)]
    answer = await client.send("POST", "/api/v1/events", text=json.dumps(batch), media=BATCH)
    assert answer.status == 202
    page = (await client.get("/api/v1/events?limit=2")).body
    rest = (await client.get(f"/api/v1/events?limit=2&cursor={page['next_cursor']}")).body
    assert [item["id"] for item in page["items"] + rest["items"]] == ["e3", "e2", "e1"]
    assert rest["items"][0]["data"] == {"n": 1}


@pytest.mark.parametrize(
    ("media", "text", "status"),
    [
        (STRUCTURED, "{bad", 400),
        (STRUCTURED, "[]", 400),
        (STRUCTURED, "{}", 400),
        (STRUCTURED, '"x"', 400),
        (STRUCTURED, json.dumps({**event(), "specversion": "0.3"}), 400),
        (STRUCTURED, json.dumps(event(id="")), 400),
        (STRUCTURED, json.dumps(event(source=5)), 400),
        (BATCH, "{}", 400),
        (BATCH, "[1]", 400),
        (BATCH, json.dumps([event(), {}]), 400),
        ("text/plain", "x", 415),
        ("application/json", "{}", 400),
    ],
)
async def test_what_is_no_event_is_refused(client: Client, media: str, text: str, status: int) -> None:
    answer = await client.send("POST", "/api/v1/events", text=text, media=media)
    assert (answer.status, answer.media) == (status, PROBLEM), answer
    assert (await client.get("/api/v1/events")).body["items"] == []


async def test_an_event_moves_a_run_that_listens(client: Client) -> None:
    listen = [{"hear": {"listen": {"to": {"one": {"with": {"type": "test.go"}}}}}}]
    await client.deploy(workflow("hears", listen))
    run = (await client.post("/api/v1/workflows/tests/hears/runs?wait=0.05", {})).body
    await client.send("POST", "/api/v1/events", text=json.dumps(event(data={"n": 7})), media=STRUCTURED)
    ended = await client.until_ended(run["id"])
    assert (ended["status"], ended["output"]) == ("completed", [{"n": 7}])
    items = (await client.get(f"/api/v1/events?run={run['id']}")).body["items"]
    assert [item["id"] for item in items] == ["e1"]


async def test_the_stream_tells_of_events_as_they_come(client: Client) -> None:
    # The stream is open once its headers came; what is published then must be in it.
    async with client.opened("/api/v1/events/stream?type=test.go") as told:
        for number, kind in ((1, "other"), (2, "test.go")):
            await client.send("POST", "/api/v1/events", text=json.dumps(event(number, type=kind)), media=STRUCTURED)
        first = await anext(told)
    assert first[1]["id"] == "e2"


@pytest.mark.parametrize("cursor", ["OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "LTU", "MS41", "bnVsbA", "IjEi"])
async def test_a_cursor_of_no_list_is_named(client: Client, cursor: str) -> None:
    answer = await client.get(f"/api/v1/events?cursor={cursor}")
    assert (answer.status, answer.media) == (400, PROBLEM)
    assert "cursor" in answer.body["detail"]
