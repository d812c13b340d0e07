"""Workflows of the machinery surface among many: found by id at once, listed page by page."""

from collections.abc import AsyncIterator

import pytest

from penstock.errors import NotFound
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.server.machinery import Machinery
from penstock.store.rows import StoredWorkflow
from tests.server.client import Client


class CountingEngine(Engine):
    """Counts the definitions that were listed."""

    listed = 0

    async def list_workflows(
        self, *, namespace: str | None = None, after: tuple[str, str, str] | None = None, limit: int = 100
    ) -> list[StoredWorkflow]:
        found = await super().list_workflows(namespace=namespace, after=after, limit=limit)
        self.listed += len(found)
        return found


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[CountingEngine]:
    async with CountingEngine(settings) as opened:
        yield opened


async def filled(machinery: Machinery, count: int) -> list[str]:
    """The ids of new workflows, of every second of which there are two versions."""
    await machinery.register_service({"name": "one", "address": "http://127.0.0.1:9/"})
    ids: dict[str, None] = {}
    for number in range(count):
        for services in [["one"], ["one", "one"]][: 1 + number % 2]:
            stored = await machinery.register_workflow({"name": f"w {number:03}", "services": services})
            ids[stored.id] = None
    return list(ids)


async def test_an_id_is_found_without_looking_through_all(engine: CountingEngine) -> None:
    ids = await filled(Machinery(engine), 20)
    elsewhere = Machinery(engine)  # as on another node, or after a restart: it knows of none
    assert (await elsewhere.workflow(ids[7])).version == "1.0.1"
    once = engine.listed
    assert once >= 20
    assert [(await elsewhere.workflow(one)).id for one in ids] == ids
    assert engine.listed == once, "the first look through them has found all"
    late = (await Machinery(engine).register_workflow({"name": "late", "services": ["one"]})).id
    assert (await elsewhere.workflow(late)).definition.name == "late"


async def test_a_workflow_that_was_deleted_is_found_no_more(engine: CountingEngine) -> None:
    machinery = Machinery(engine)
    (found,) = await filled(machinery, 1)
    stored = await machinery.workflow(found)
    await engine.delete_workflow("machinery", stored.label, stored.version)
    with pytest.raises(NotFound):
        await machinery.workflow(found)
    with pytest.raises(NotFound):
        await machinery.workflow("0" * 24)


async def test_more_ids_than_are_noted_are_found_too(engine: CountingEngine) -> None:
    machinery = Machinery(engine, most_ids=5)
    ids = await filled(machinery, 12)
    assert [(await machinery.workflow(one)).id for one in ids[-5:]] == ids[-5:]
    assert engine.listed == 0
    assert [(await machinery.workflow(one)).id for one in ids] == ids


async def test_the_list_is_read_page_by_page(engine: CountingEngine) -> None:
    machinery = Machinery(engine)
    await filled(machinery, 20)
    found = await machinery.workflows("", 4)
    assert [one.definition.name for one in found] == [f"w {number:03}" for number in range(4)]
    assert [one.version for one in found] == ["1.0.0", "1.0.1", "1.0.0", "1.0.1"]
    assert engine.listed <= 8
    rest = await machinery.workflows(found[-1].label, 100)
    assert [one.definition.name for one in rest] == [f"w {number:03}" for number in range(4, 20)]


async def test_pages_over_http(client: Client) -> None:
    assert (await client.post("/s", {"name": "one", "address": "http://127.0.0.1:9/"})).status == 201
    for number in range(5):
        assert (await client.post("/w", {"name": f"w{number}", "services": ["one"]})).status == 201
    names: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"/w?limit=2{cursor}")).body
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == [f"w{number}" for number in range(5)]
    assert (await client.get("/w?cursor=abc")).status == 400
