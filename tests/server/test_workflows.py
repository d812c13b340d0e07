"""Definitions over HTTP: store, check, list, read, delete."""

import asyncio

import pytest

from tests.server.client import Client, workflow
from tests.server.support import PROBLEM

SET = [{"answer": {"set": {"answer": 42}}}]
YAML = """\
document:
  dsl: 1.0.3
  namespace: tests
  name: from-yaml
  version: 1.0.0
do:
  - answer:
      set:
        answer: 42
"""
WRONG_YAML = YAML.replace("set:", "sett:")


@pytest.mark.mission("M001")
async def test_a_definition_is_stored_and_given_back(client: Client) -> None:
    document = workflow("first", SET)
    stored = await client.deploy(document)
    assert stored.status == 201
    assert {name: stored.body[name] for name in ("namespace", "name", "version")} == {
        "namespace": "tests",
        "name": "first",
        "version": "1.0.0",
    }
    assert stored.body["created_at"].endswith("Z")
    assert "bounds" in stored.body
    for path in (
        "/api/v1/workflows/tests/first",
        "/api/v1/workflows/tests/first/1.0.0",
        "/api/v1/workflows/tests/first/latest",
    ):
        found = await client.get(path)
        assert found.status == 200
        assert found.body["definition"] == document
        assert found.body["created_at"] == stored.body["created_at"]


async def test_the_same_again_is_200_and_other_content_409(client: Client) -> None:
    assert (await client.deploy(workflow("same", SET))).status == 201
    assert (await client.deploy(workflow("same", SET))).status == 200
    other = await client.deploy(workflow("same", [{"answer": {"set": {"answer": 43}}}]))
    assert (other.status, other.media) == (409, PROBLEM)


async def test_of_equal_deploys_at_the_same_time_one_is_told_that_it_stored_it(client: Client) -> None:
    answers = await asyncio.gather(*(client.deploy(workflow("raced", SET)) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]


async def test_yaml_is_read_and_mistakes_have_places(client: Client) -> None:
    good = await client.send("POST", "/api/v1/workflows", text=YAML, media="application/yaml")
    assert good.status == 201
    bad = await client.send("POST", "/api/v1/workflows", text=WRONG_YAML, media="application/yaml")
    assert (bad.status, bad.media) == (422, PROBLEM)
    assert any(error["line"] in (7, 8) and error["pointer"].startswith("/do/0") for error in bad.body["errors"])


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", "a: b: c", '{"document": 1}', "\x00", "*a", "- 1"])
async def test_no_text_is_a_server_error(client: Client, text: str) -> None:
    for media in ("application/yaml", "application/json"):
        answer = await client.send("POST", "/api/v1/workflows", text=text, media=media)
        assert answer.status == 422, answer
        checked = await client.send("POST", "/api/v1/workflows:check", text=text, media=media)
        assert checked.status == 200
        assert checked.body["valid"] is False
        assert checked.body["errors"]


async def test_check_stores_nothing(client: Client) -> None:
    checked = await client.post("/api/v1/workflows:check", workflow("checked", SET))
    assert checked.status == 200
    assert checked.body["valid"] is True
    assert checked.body["errors"] == []
    assert (await client.get("/api/v1/workflows/tests/checked")).status == 404


@pytest.mark.mission("M084")
async def test_two_versions_side_by_side_and_the_newest_by_default(client: Client) -> None:
    for version, answer in (("1.9.0", 1), ("1.10.0", 2)):
        document = workflow("versions", [{"answer": {"set": {"answer": answer}}}], version=version)
        assert (await client.deploy(document)).status == 201
    assert (await client.get("/api/v1/workflows/tests/versions")).body["version"] == "1.10.0"
    path = "/api/v1/workflows/tests/versions/runs?wait=20"
    assert (await client.post(path, {})).body["output"] == {"answer": 2}
    assert (await client.post(path + "&version=1.9.0", {})).body["output"] == {"answer": 1}


async def test_lists_come_in_pages(client: Client) -> None:
    names = [f"listed-{number}" for number in range(5)]
    for name in names:
        await client.deploy(workflow(name, SET))
    seen: list[str] = []
    path = "/api/v1/workflows?namespace=tests&limit=2"
    cursor, page = "", {"next_cursor": ""}
    for _ in range(3):
        page = (await client.get(path + cursor)).body
        seen += [item["name"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == names
    assert page["next_cursor"] is None
    assert (await client.get("/api/v1/workflows?namespace=other")).body["items"] == []


async def test_a_deleted_version_is_gone(client: Client) -> None:
    await client.deploy(workflow("deleted", SET))
    assert (await client.send("DELETE", "/api/v1/workflows/tests/deleted/1.0.0")).status == 204
    assert (await client.get("/api/v1/workflows/tests/deleted")).status == 404
    assert (await client.send("DELETE", "/api/v1/workflows/tests/deleted/1.0.0")).status == 404
    assert (await client.post("/api/v1/workflows/tests/deleted/runs", {})).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1.5",
        "limit=1&limit=2",
        "cursor=!!",
        "cursor=WzFd",
        "cursor=bm8",
    ],
)
async def test_bad_query_values_are_named(client: Client, query: str) -> None:
    answer = await client.get(f"/api/v1/workflows?{query}")
    assert (answer.status, answer.media) == (400, PROBLEM)
    assert query.partition("=")[0] in answer.body["detail"]
