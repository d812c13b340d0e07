"""Pages of the task runs of a run: all of them, each once, and none reads again what another has read."""

import pytest

from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.runtime.task_tables import TaskTables
from penstock.store import path_of
from penstock.store.rows import JournalRow
from penstock.store.sqlite import SqliteStore

from .conftest import document, run_to_end

TASKS = 3_000
LOOP = document("loop", "  - each: {for: {each: i, in: '${ .items }'}, do: [{count: {set: {n: '${ $i }'}}}]}\n")
PAUSED = document("paused", "  - first: {set: {n: 1}}\n  - pause: {wait: {hours: 1}}\n")


class CountingStore(SqliteStore):
    """Counts the rows of journals that were read."""

    read = 0

    async def journal(self, run_id: str, after: int, limit: int) -> list[JournalRow]:
        found = await super().journal(run_id, after, limit)
        self.read += len(found)
        return found


@pytest.fixture
def store(settings: Settings) -> CountingStore:
    return CountingStore(path_of(settings.store_url))


async def test_pages_hold_every_task_once_and_read_the_journal_once(settings: Settings, store: CountingStore) -> None:
    async with Engine(settings, store=store) as engine:
        run = await run_to_end(engine, LOOP, {"items": list(range(TASKS))})
        await engine.run_tasks(run.id, after=0, limit=10)
        once = store.read
        assert once >= 2
        pages = [await engine.run_tasks(run.id, after=after, limit=500) for after in range(0, TASKS + 500, 500)]
        assert store.read == once, "no page reads what the first one read"
        tasks = [task for page in pages for task in page]
        assert [task.name for task in tasks] == ["each", *["count"] * TASKS]
        assert {task.status for task in tasks} == {"completed"}


async def test_a_table_grows_with_its_run(settings: Settings, store: CountingStore) -> None:
    async with Engine(settings, store=store) as engine:
        await engine.deploy(PAUSED)
        run = await engine.start_run("test", "paused")
        before = await engine.run_tasks(run.id)
        assert [(task.name, task.status) for task in before] == [("first", "completed"), ("pause", "running")]
        await engine.cancel(run.id)
        after = await engine.run_tasks(run.id)
        assert [(task.name, task.status) for task in after] == [("first", "completed"), ("pause", "cancelled")]


async def test_what_is_kept_is_bounded(settings: Settings, store: CountingStore) -> None:
    async with Engine(settings, store=store) as engine:
        runs = [(await run_to_end(engine, LOOP, {"items": [1, 2, 3]})).id for _ in range(3)]
        tables = TaskTables(store, most=8)  # two runs of four tasks each

        async def rows_read(run_id: str) -> int:
            before = store.read
            assert len(await tables.page(run_id, 0, 10)) == 4
            return store.read - before

        whole = [await rows_read(run_id) for run_id in runs]
        assert all(whole)
        assert await rows_read(runs[2]) == await rows_read(runs[1]) == 0
        assert await rows_read(runs[0]) == whole[0], "it was asked for longest ago"
        assert len(await TaskTables(store, most=3).page(runs[0], 0, 10)) == 4
