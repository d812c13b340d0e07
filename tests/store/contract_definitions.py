"""What every store does with workflows, tools and secrets."""

import asyncio

from penstock.model.json_value import Json
from penstock.store import Store
from penstock.store.rows import Tool, WorkflowPut
from tests.store.samples import workflow


def tool(name: str, **changes: Json) -> Tool:
    plain: dict[str, Json] = {"capability": "check", "created_at": 1, "updated_at": 1, "body": b"{}"}
    return Tool(name=name, **plain | changes)


class DefinitionContract:
    async def test_a_workflow_is_stored_with_all_that_was_given(self, store: Store) -> None:
        full = workflow("w", resources=b"r", metadata=b"m", source_text="do: []\n")
        assert await store.put_workflow(full) == WorkflowPut(full, created=True)
        assert await store.get_workflow("default", "w", "1.0.0") == full
        assert await store.get_workflow("default", "w", "2.0.0") is None

    async def test_a_stored_version_never_changes(self, store: Store) -> None:
        first = (await store.put_workflow(workflow("w"))).workflow
        there = WorkflowPut(first, created=False)
        assert await store.put_workflow(workflow("w", created_at=9)) == there
        assert await store.put_workflow(workflow("w", content_hash=b"other", definition=b"[]")) == there

    async def test_of_equal_workflows_at_the_same_time_one_is_stored(self, store: Store) -> None:
        put = await asyncio.gather(*(store.put_workflow(workflow("w", created_at=at)) for at in range(1, 9)))
        assert [one.created for one in put].count(True) == 1
        assert {one.workflow for one in put} == {next(one.workflow for one in put if one.created)}

    async def test_a_deleted_version_stays_for_its_runs(self, store: Store) -> None:
        kept = (await store.put_workflow(workflow("w"))).workflow
        other = (await store.put_workflow(workflow("w", "1.0.1"))).workflow
        assert await store.delete_workflow("default", "w", "1.0.0")
        assert not await store.delete_workflow("default", "w", "1.0.0")
        assert await store.get_workflow("default", "w", "1.0.0") is None
        assert await store.get_workflow_for_runs("default", "w", "1.0.0") == kept
        assert await store.workflow_versions("default", "w") == [other]
        assert await store.list_workflows(namespace=None, after=None, limit=9) == [other]

    async def test_deploying_a_deleted_version_again_shows_it_again(self, store: Store) -> None:
        kept = (await store.put_workflow(workflow("w"))).workflow
        await store.delete_workflow("default", "w", "1.0.0")
        assert await store.put_workflow(workflow("w", content_hash=b"other")) == WorkflowPut(kept, created=False)
        assert await store.get_workflow("default", "w", "1.0.0") is None
        assert await store.put_workflow(workflow("w")) == WorkflowPut(kept, created=True)
        assert await store.get_workflow("default", "w", "1.0.0") == kept

    async def test_workflows_list_in_pages(self, store: Store) -> None:
        stored = [
            (await store.put_workflow(workflow(name, version, namespace=namespace))).workflow
            for namespace, name, version in [
                ("b", "x", "1.0.0"),
                ("a", "y", "2.0.0"),
                ("a", "y", "1.0.0"),
                ("a", "x", "3.0.0"),
            ]
        ]
        ordered = stored[::-1]
        assert await store.list_workflows(namespace=None, after=None, limit=9) == ordered
        assert await store.list_workflows(namespace=None, after=("a", "x", "3.0.0"), limit=2) == ordered[1:3]
        assert await store.list_workflows(namespace="a", after=("a", "y", "1.0.0"), limit=9) == ordered[2:3]
        assert await store.list_workflows(namespace="b", after=("a", "z", "1.0.0"), limit=9) == ordered[3:]
        assert await store.list_workflows(namespace="a", after=("b", "x", "1.0.0"), limit=9) == []
        assert await store.workflow_versions("a", "y") in (ordered[1:3], ordered[2:0:-1])

    async def test_a_tool_is_replaced_by_its_name(self, store: Store) -> None:
        await store.put_tool(tool("b"))
        await store.put_tool(tool("a"))
        await store.put_tool(tool("b", capability="other", created_at=5, updated_at=5, body=b"[]"))
        assert await store.list_tools() == [
            tool("a"),
            tool("b", capability="other", created_at=1, updated_at=5, body=b"[]"),
        ]
        assert await store.delete_tool("a")
        assert not await store.delete_tool("a")

    async def test_secrets_are_kept_by_name(self, store: Store) -> None:
        await store.put_secret("s", b"one")
        await store.put_secret("t", b"two")
        await store.put_secret("s", b"three")
        assert await store.get_secrets() == {"s": b"three", "t": b"two"}
        assert await store.delete_secret("s")
        assert not await store.delete_secret("s")
        assert await store.get_secrets() == {"t": b"two"}
