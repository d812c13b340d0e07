"""What callers may ask for: as much as the limit, and no more."""

import pytest

from penstock.model import limits
from penstock.model.json_value import Json
from tests.server.client import Answer, Client, workflow
from tests.server.support import PROBLEM

RUNS = "/api/v1/workflows/tests/limited/runs"
LONGEST = "x" * limits.MAX_NAME_CHARACTERS
SET = [{"nothing": {"set": {"done": True}}}]


def refused(answer: Answer, status: int, part: str) -> bool:
    return (answer.status, answer.media) == (status, PROBLEM) and part in answer.body["detail"]


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/events", "/api/v1/tools", "/api/v1/workflows", "/s", "/w"])
async def test_items_of_a_page(client: Client, path: str) -> None:
    assert (await client.get(f"{path}?limit={limits.MAX_PAGE_ITEMS}")).status == 200
    assert refused(await client.get(f"{path}?limit={limits.MAX_PAGE_ITEMS + 1}"), 400, "limit")
    assert refused(await client.get(f"{path}?limit=0"), 400, "limit")


async def test_a_page_has_its_usual_length(client: Client) -> None:
    batch = [
        {"specversion": "1.0", "id": str(number), "source": "/t", "type": "t"}
        for number in range(limits.DEFAULT_PAGE_ITEMS + 1)
    ]
    media = "application/cloudevents-batch+json"
    assert (await client.send("POST", "/api/v1/events", batch, media=media)).status == 202
    first = (await client.get("/api/v1/events")).body
    assert len(first["items"]) == limits.DEFAULT_PAGE_ITEMS
    rest = (await client.get(f"/api/v1/events?cursor={first['next_cursor']}")).body
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)


async def test_labels_and_keys(client: Client) -> None:
    await client.deploy(workflow("limited", SET))
    most = "&".join(f"label=k{number}:v" for number in range(limits.MAX_LABELS))
    assert (await client.post(f"{RUNS}?{most}", {})).status == 202
    assert refused(await client.post(f"{RUNS}?{most}&label=one:more", {}), 400, "label")
    assert (await client.post(f"{RUNS}?label={LONGEST}:{LONGEST}", {})).status == 202
    assert refused(await client.post(f"{RUNS}?label={LONGEST}x:v", {}), 400, "label")
    assert refused(await client.post(f"{RUNS}?label=k:{LONGEST}x", {}), 400, "label")
    assert (await client.post(RUNS, {}, headers={"Idempotency-Key": LONGEST})).status == 202
    assert refused(await client.post(RUNS, {}, headers={"Idempotency-Key": LONGEST + "x"}), 400, "Idempotency-Key")


async def test_names_and_sizes_of_secrets(client: Client) -> None:
    quotes = 2
    value = "x" * (limits.MAX_SECRET_BYTES - quotes)
    assert (await client.send("PUT", f"/api/v1/secrets/{LONGEST}", {"value": value})).status == 204
    assert refused(await client.send("PUT", f"/api/v1/secrets/{LONGEST}x", {"value": 1}), 400, "name")
    assert refused(await client.send("PUT", "/api/v1/secrets/big", {"value": value + "x"}), 413, "secret")


async def test_the_weight_of_a_tool(client: Client) -> None:
    tool = {"name": "t", "capability": "c", "transport": {"kind": "http", "endpoint": "http://127.0.0.1:9/"}}
    assert (await client.post("/api/v1/tools", {**tool, "weight": limits.MAX_TOOL_WEIGHT})).status == 201
    answer = await client.post("/api/v1/tools", {**tool, "weight": limits.MAX_TOOL_WEIGHT + 1})
    assert answer.status == 422 and [error["pointer"] for error in answer.body["errors"]] == ["/weight"]


async def test_events_of_a_batch_and_bytes_of_an_event(client: Client) -> None:
    event: Json = {"specversion": "1.0", "id": "1", "source": "/t", "type": "t"}
    batch = [{**event, "id": str(number)} for number in range(limits.MAX_EVENTS_PER_BATCH)]
    media = "application/cloudevents-batch+json"
    assert (await client.send("POST", "/api/v1/events", batch, media=media)).status == 202
    assert refused(await client.send("POST", "/api/v1/events", [*batch, event], media=media), 413, "events")
    big = {**event, "id": "big", "data": "x" * limits.MAX_VALUE_BYTES}
    answer = await client.send("POST", "/api/v1/events", big, media="application/cloudevents+json")
    assert refused(answer, 413, "bytes")


async def test_a_start_in_the_far_future(client: Client) -> None:
    await client.deploy(workflow("limited", SET))
    assert refused(await client.post(f"{RUNS}?at=2999-01-01T00:00:00Z", {}), 400, "at:")
