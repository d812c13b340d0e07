"""Copies of a database at work, and its migration without an engine."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from penstock.errors import CallerError, Conflict, InfrastructureError, NotFound, StoreInUse
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite.backup import back_up
from penstock.store.sqlite.migrate import load_migrations
from penstock.store.sqlite.upgrade import MigrationReport, planned_upgrade, upgrade
from tests.store.samples import ended, event, run_id, turn, workflow
from tests.store.test_sqlite import child_environment

NEWEST = len(load_migrations())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "penstock.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def files(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


class TestBackup:
    async def test_the_copy_of_a_store_at_work_is_a_store(self, path: Path, target: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        await store.commit([turn(1), turn(2), ended(3)])
        await store.put_events([event("e")])
        await store.put_workflow(workflow("w"))
        await store.put_secret("s", b"sealed")
        report = await asyncio.to_thread(back_up, path, target)
        assert report.rows == {
            "runs": 3,
            "journal": 3,
            "events": 1,
            "inbox": 0,
            "workflows": 1,
            "tools": 0,
            "secrets": 1,
        }
        assert (report.live_runs, report.schema, report.path) == (2, NEWEST, str(target))
        await store.commit([turn(4)])
        await store.close()
        restored = SqliteStore(target)
        await restored.open()
        assert [row.id for row in await restored.list_runs(limit=9)] == [run_id(3), run_id(2), run_id(1)]
        await restored.commit([turn(1, 2)])
        await restored.close()

    async def test_it_is_of_one_instant_while_turns_go_on(self, path: Path, target: Path) -> None:
        """Every transaction makes a run and an event, so that in each instant there are as many of both."""
        store = SqliteStore(path)
        await store.open()
        await store.commit([turn(n, values={b"d": b"x" * 20_000}, events=(event(f"e{n}"),)) for n in range(200)])
        copying = asyncio.ensure_future(asyncio.to_thread(back_up, path, target))
        number = 200
        while not copying.done():
            await store.commit([turn(number, events=(event(f"e{number}"),))])
            number += 1
        report = await copying
        await store.close()
        assert 200 <= report.rows["runs"] <= number
        with closing(sqlite3.connect(target)) as copy:
            counts = copy.execute("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events)").fetchone()
        assert counts == (report.rows["runs"], report.rows["runs"]) == (report.rows["events"],) * 2

    async def test_it_is_one_private_file_and_nothing_else_stays(self, path: Path, target: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()
        before = files(path.parent)
        report = await asyncio.to_thread(back_up, path, target)
        left_by_readers = {f"{path.name}-wal", f"{path.name}-shm"}
        assert files(path.parent) - left_by_readers == before | {target.name}
        status = await asyncio.to_thread(target.stat)
        assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, report.size_bytes)

    def test_a_database_whose_engine_was_killed_is_copied_with_its_wal(self, path: Path, target: Path) -> None:
        program = (
            "import asyncio, os\nfrom pathlib import Path\nfrom penstock.store.sqlite import SqliteStore\n"
            "from tests.store.samples import turn\n"
            f"async def main():\n    store = SqliteStore(Path({str(path)!r}))\n    await store.open()\n"
            "    await store.commit([turn(1)])\n    os.kill(os.getpid(), 9)\nasyncio.run(main())"
        )
        root = Path(__file__).parents[2]
        child = subprocess.run([sys.executable, "-c", program], cwd=root, env=child_environment(), check=False)
        assert child.returncode == -9
        assert back_up(path, target).rows["runs"] == 1

    async def test_it_overwrites_nothing(self, path: Path, target: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()
        await asyncio.to_thread(target.write_text, "mine")
        with pytest.raises(Conflict, match="overwrites nothing"):
            await asyncio.to_thread(back_up, path, target)
        assert await asyncio.to_thread(target.read_text) == "mine"

    def test_what_is_no_database_of_ours_is_refused_and_leaves_no_copy(self, path: Path, target: Path) -> None:
        with pytest.raises(NotFound, match="there is no database"):
            back_up(path, target)
        path.touch()
        with pytest.raises(CallerError, match="is empty"):
            back_up(path, target)
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (x)")
        with pytest.raises(InfrastructureError, match="another program"):
            back_up(path, target)
        path.write_bytes(b"not a database at all" * 100)
        with pytest.raises(InfrastructureError, match="not a database"):
            back_up(path, target)
        assert files(path.parent) == {path.name}

    async def test_a_damaged_database_gives_no_backup(self, path: Path, target: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        await store.commit([turn(n, values={b"d": b"x" * 9_000}) for n in range(50)])
        await store.close()

        def damage() -> None:
            with path.open("r+b") as file:
                file.seek(path.stat().st_size // 2)
                file.write(b"\xff" * 40_000)

        await asyncio.to_thread(damage)
        with pytest.raises(InfrastructureError):
            await asyncio.to_thread(back_up, path, target)
        assert target.name not in files(path.parent)

    def test_a_directory_that_is_not_there(self, path: Path) -> None:
        upgrade(path)
        with pytest.raises(InfrastructureError, match="cannot write"):
            back_up(path, path.parent / "nowhere" / "copy.db")


class TestUpgrade:
    def test_an_empty_place_becomes_a_store(self, path: Path) -> None:
        assert planned_upgrade(path) == MigrationReport(0, NEWEST)
        assert not path.exists()
        assert upgrade(path) == MigrationReport(0, NEWEST)
        assert planned_upgrade(path) == upgrade(path) == MigrationReport(NEWEST, NEWEST)

    def test_an_older_schema_goes_to_the_newest_and_keeps_its_rows(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as old:
            old.executescript(load_migrations()[0])
            old.execute("INSERT INTO secrets VALUES ('s', x'00')")
            old.executescript(f"PRAGMA application_id = {0x50454E53}; PRAGMA user_version = 1;")
        assert planned_upgrade(path) == MigrationReport(1, NEWEST)
        assert planned_upgrade(path) == upgrade(path)
        with closing(sqlite3.connect(path)) as new:
            assert new.execute("SELECT count(*) FROM secrets").fetchone() == (1,)
            assert new.execute("PRAGMA user_version").fetchone() == (NEWEST,)

    async def test_a_store_in_use_is_refused_but_can_be_looked_at(self, path: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        with pytest.raises(StoreInUse):
            await asyncio.to_thread(upgrade, path)
        assert await asyncio.to_thread(planned_upgrade, path) == MigrationReport(NEWEST, NEWEST)
        await store.close()

    @pytest.mark.parametrize("act", [upgrade, planned_upgrade])
    def test_a_newer_schema_is_refused(self, path: Path, act: object) -> None:
        upgrade(path)
        with closing(sqlite3.connect(path)) as newer:
            newer.execute(f"PRAGMA user_version = {NEWEST + 1}")
        with pytest.raises(InfrastructureError, match=f"has schema {NEWEST + 1}"):
            (upgrade if act is upgrade else planned_upgrade)(path)
        with closing(sqlite3.connect(path)) as still:
            assert still.execute("PRAGMA user_version").fetchone() == (NEWEST + 1,)
