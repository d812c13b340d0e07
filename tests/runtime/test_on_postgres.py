"""The engine over PostgreSQL: the same stories as over SQLite, under the same names, and `kill -9`."""

import random
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

from penstock.runtime.settings import Settings
from tests.postgres_fixtures import without_schema

from . import test_engine, test_events
from .conftest import document, opened
from .test_kill import counting, examine, one_life

RUNS = 150
KILLS = 4
SEED = 20_261_121

pytestmark = [pytest.mark.mission("M129"), pytest.mark.slow]


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str) -> Settings:
    """Instead of the one beside this file, whose store is SQLite: every engine of these tests is over PostgreSQL."""
    return Settings(store=postgres_url, data_dir=str(tmp_path), log_level="error")


def stories(module: ModuleType) -> dict[str, object]:
    """The tests of a module, to be collected here once more."""
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


globals().update(stories(test_engine) | stories(test_events))


async def test_a_run_waits_through_a_restart(settings: Settings) -> None:
    text = document("waits", "- w: {wait: {milliseconds: 300}}\n- s: {set: {a: '${ .n + 1 }'}}\n")
    async with opened(settings) as engine:
        await engine.deploy(text)
        run = await engine.start_run("test", "waits", "latest", {"n": 1})
        assert run.status == "waiting"
    async with opened(settings) as engine:
        done = await engine.wait_run(run.id, 20)
        assert (done.status, done.output) == ("completed", {"a": 2})


@pytest.mark.mission("M130")
async def test_runs_go_on_when_every_session_of_the_store_is_ended(settings: Settings) -> None:
    """Again and again, while runs are under way; the administrator's `pg_terminate_backend`."""
    text = document("lasts", "- l: {for: {in: '${ [range(20)] }'}, do: [{s: {set: {n: '${ .n + $item }'}}}, "
                             "{w: {wait: {milliseconds: 5}}}]}\n")  # fmt: skip
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock%'"
    connection = await asyncpg.connect(without_schema(settings.store_url))
    async with opened(settings) as engine:
        await engine.deploy(text)
        runs = [await engine.start_run("test", "lasts", "latest", {"n": n}) for n in range(10)]
        for _ in range(5):
            before = engine._parts.store.statistics().turns
            while engine._parts.store.statistics().turns < before + 20:
                await connection.execute("SELECT pg_sleep(0.01)")
            await connection.execute(statement)
        for n, run in enumerate(runs):
            done = await engine.wait_run(run.id, 60)
            assert (done.status, done.output) == ("completed", {"n": n + sum(range(20))})
    await connection.close()


async def test_killed_engines_lose_nothing_and_do_nothing_twice_over_postgres(
    tmp_path: Path, settings: Settings
) -> None:
    rng = random.Random(SEED)
    kills = 0
    async with counting() as service:
        while not await one_life(
            tmp_path, service.url, 0.4 + rng.random() * 0.4 if kills < KILLS else None, settings.store_url, RUNS
        ):
            kills += 1
        await examine(settings, service, RUNS)
    assert kills == KILLS
