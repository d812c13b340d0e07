"""Secrets go in and are named; no answer ever holds a value."""

import pytest

from tests.server.client import Client

VALUE = "a-value-for-a-test"


async def test_put_list_delete(client: Client) -> None:
    for name in ("b", "a"):
        assert (await client.send("PUT", f"/api/v1/secrets/{name}", {"value": VALUE})).status == 204
    listed = await client.get("/api/v1/secrets")
    assert listed.body == {"items": [{"name": "a"}, {"name": "b"}], "next_cursor": None}
    assert (await client.send("DELETE", "/api/v1/secrets/a")).status == 204
    assert (await client.send("DELETE", "/api/v1/secrets/a")).status == 404
    assert (await client.get("/api/v1/secrets/b")).status == 405


async def test_pages(client: Client) -> None:
    for name in ("a", "b", "c"):
        await client.send("PUT", f"/api/v1/secrets/{name}", {"value": {"any": ["json", 1]}})
    page = (await client.get("/api/v1/secrets?limit=2")).body
    rest = (await client.get(f"/api/v1/secrets?limit=2&cursor={page['next_cursor']}")).body
    assert [item["name"] for item in page["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("body", [{}, [], "x", None, {"Value": 1}])
async def test_a_body_without_a_value_is_400(client: Client, body: object) -> None:
    assert (await client.send("PUT", "/api/v1/secrets/a", body)).status == 400


@pytest.mark.parametrize("name", ["%20", "a%2Fb", "%00", "x" * 256, ".hidden"])
async def test_a_name_that_cannot_be_is_400(client: Client, name: str) -> None:
    assert (await client.send("PUT", f"/api/v1/secrets/{name}", {"value": VALUE})).status == 400
