"""What is SQLite's own: the file, its lock and permissions, its schema, its query plans."""

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.errors import CallerError, InfrastructureError, StoreInUse
from penstock.store import open_store
from penstock.store.rows import Committed, Rejected
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite import store as store_module
from penstock.store.sqlite.migrate import APPLICATION_ID, load_migrations
from penstock.store.statements import Statements, load_statements
from tests.store.samples import run_id, turn, workflow

STATEMENTS = load_statements("penstock.store.sqlite", "statements.sql")
SOURCES = Path(store_module.__file__).parent


async def test_reopening_keeps_everything(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        store = open_store(f"sqlite:{tmp_path}/p.db")
        await store.open()
        assert isinstance((await store.commit([turn(1, version)]))[0], Committed)
        await store.put_workflow(workflow("w"))
        assert [row.seq for row in await store.journal(run_id(1), 0, 9)] == list(range(1, version + 1))
        await store.close()


async def test_closing_finishes_what_waits_and_may_be_repeated(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/p.db")
    await store.close()
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(InfrastructureError, match="is not open"):
        await store.commit([turn(1)])
    with pytest.raises(InfrastructureError, match="is not open"):
        await store.load_run(run_id(1))
    assert not (tmp_path / "p.db-wal").exists()


async def test_a_second_engine_is_refused_by_name_and_process(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "p.db"), SqliteStore(tmp_path / "p.db")
    await first.open()
    with pytest.raises(StoreInUse, match=rf"{re.escape(str(tmp_path))}/p\.db is in use by process {os.getpid()};"):
        await second.open()
    with pytest.raises(InfrastructureError, match="open already"):
        await first.open()
    await first.close()
    await second.open()
    await second.close()


def test_a_dead_process_gives_its_lock_back(tmp_path: Path) -> None:
    program = (
        "import asyncio, os\nfrom pathlib import Path\nfrom penstock.store.sqlite import SqliteStore\n"
        f"asyncio.run(SqliteStore(Path({str(tmp_path / 'p.db')!r})).open())\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], env=child_environment(), check=False).returncode == -9
    store = SqliteStore(tmp_path / "p.db")
    with asyncio.Runner() as runner:
        runner.run(store.open())
        runner.run(store.close())


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES.parents[2])}


async def test_directory_and_files_are_private(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "p.db")
    await store.open()
    await store.commit([turn(1)])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
    await store.close()
    assert modes == dict.fromkeys(["p.db", "p.db-wal", "p.db-shm", "p.db.lock"], 0o600)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p.db")
    await store.open()
    await store.close()
    with sqlite3.connect(tmp_path / "p.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(load_migrations()) + 1}")
    with pytest.raises(InfrastructureError, match="knows schemas up to"):
        await store.open()
    with sqlite3.connect(tmp_path / "p.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(load_migrations())}")
    await store.open()
    await store.close()


@pytest.mark.parametrize(("marks", "cursor"), [([], 0), ([1, 1, 1], 3), ([1, 0, 1], 1), ([0, 1, 0], 0), ([1, 1, 0], 2)])
async def test_routing_goes_on_before_the_first_event_that_was_not_routed(
    tmp_path: Path, marks: list[int], cursor: int
) -> None:
    with sqlite3.connect(tmp_path / "p.db") as connection:
        for script in load_migrations()[:2]:
            connection.executescript(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        for number, routed in enumerate(marks):
            connection.execute(
                "INSERT INTO events (source, id, type, subject, at, expires_at, run_id, routed, body)"
                " VALUES ('/s', ?, 't', '', 1, 2, '', ?, x'7B7D')",
                (f"e{number}", routed),
            )
    store = SqliteStore(tmp_path / "p.db")
    await store.open()
    assert await store.routed_until() == cursor
    assert [row.seq for row in await store.events_after(0, 9)] == list(range(1, len(marks) + 1))
    assert await store.expire_events(2, 9) == cursor
    await store.close()


async def test_what_is_not_our_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    (tmp_path / "text.db").write_text("no database " * 1000)
    for name, message in [("other.db", "another program"), ("text.db", "not a database")]:
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InfrastructureError, match=message):
            await SqliteStore(tmp_path / name).open()
        if name == "text.db":
            assert (tmp_path / name).read_bytes() == before
    with sqlite3.connect(tmp_path / "other.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


async def test_a_place_that_cannot_be_written_is_an_infrastructure_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot open the database"):
        await SqliteStore(tmp_path / "file" / "p.db").open()
    with pytest.raises(InfrastructureError, match="cannot open the database"):
        await SqliteStore(tmp_path).open()


@pytest.mark.parametrize("url", ["mysql://me:word@h/db", "sqlite:", "sqlite", "", "sqlite://host/x", "/p.db"])
def test_other_urls_are_refused_with_what_works(url: str) -> None:
    with pytest.raises(CallerError, match=r"use sqlite:PATH, sqlite:///PATH, memory: or postgresql:") as caught:
        open_store(url)
    assert "word" not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:a/b.db", "a/b.db"), ("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db")]
)
def test_urls_name_files(url: str, path: str) -> None:
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store._path == Path(path)


async def test_a_start_key_without_its_run_is_refused() -> None:
    store = open_store("memory:")
    await store.open()
    with pytest.raises(ValueError, match="do not create"):
        await store.commit([turn(1, 2)], [store_module.StartKey("n", "w", "k", b"h", run_id(1))])
    await store.close()


async def test_a_batch_with_a_stale_turn_is_done_again_once() -> None:
    store = open_store("memory:")
    await store.open()
    await store.commit([turn(n) for n in range(50)])
    outcomes = await store.commit([turn(n, 2 if n != 25 else 7) for n in range(50)])
    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 49
    assert not any(isinstance(outcome, Rejected) for outcome in outcomes)
    statistics = store.statistics()
    assert (statistics.commits, statistics.turns, statistics.retried_batches) == (2, 99, 1)
    await store.close()


def plans(names: frozenset[str]) -> dict[str, str]:
    """The query plan of each statement over the whole schema."""
    connection = sqlite3.connect(":memory:")
    for script in load_migrations():
        connection.executescript(script)
    found: dict[str, str] = {}
    for name in names:
        text = STATEMENTS[name].replace(" ...", "")
        count = text.count("?")
        parameters = dict.fromkeys(re.findall(r":(\w+)", text), None) if not count else (None,) * count
        rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
        found[name] = "\n".join(row[3] for row in rows)
    connection.close()
    return found


READ_AS_A_WHOLE = {"count_work", "list_tools", "list_tokens", "get_secrets", "delete_inbox_of_runs"}
"""Tables of few rows by their nature; and an index for metrics."""


def test_every_statement_finds_its_rows_by_an_index() -> None:
    scans = {
        name: plan
        for name, plan in plans(STATEMENTS.names - READ_AS_A_WHOLE).items()
        if re.search(r"^SCAN (?!json_each|wanted|topics|hops|\d|CONSTANT|\(|column)", plan, re.MULTILINE)
    }
    assert scans == {}


def test_no_list_is_sorted_after_it_was_found() -> None:
    sorted_later = {name for name, plan in plans(STATEMENTS.names).items() if "TEMP B-TREE FOR ORDER" in plan}
    assert sorted_later == set()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("due_runs", "COVERING INDEX runs_due"),
        ("next_due_at", "COVERING INDEX runs_due"),
        ("calling_runs", "INDEX runs_calling (id>?)"),
        ("events_after", "INTEGER PRIMARY KEY (rowid>?)"),
        ("subscriptions", "INDEX subscriptions_by_topic"),
        ("list_runs_by_label", "PRIMARY KEY"),
        ("expired_events", "INDEX events_expiring"),
        ("ended_runs_of_workflow", "INDEX runs_ended (namespace=? AND name=? AND (ended_at,id)>(?,?)"),
        ("ended_workflows", "COVERING INDEX runs_ended"),
        ("work_to_lease", "INDEX work_of_tool (tool=? AND state=? AND due_at<?)"),
        ("lease_work", "INDEX sqlite_autoindex_work_1 (call_id=? AND tool=?)"),
        ("renew_work", "INDEX sqlite_autoindex_work_1 (call_id=? AND tool=?)"),
        ("return_work", "INDEX sqlite_autoindex_work_1 (call_id=? AND tool=?)"),
        ("push_result", "INDEX sqlite_autoindex_work_1 (call_id=? AND tool=?)"),
        ("delete_work_of_tools", "INDEX sqlite_autoindex_work_1 (call_id=? AND tool=?)"),
        ("next_work_at", "INDEX work_of_tool (tool=? AND state=?)"),
        ("push_due", "INDEX work_to_push (due_at<?)"),
        ("list_work", "INDEX work_by_age ((created_at,call_id,tool)>(?,?,?))"),
        ("list_dead_work", "INDEX work_dead ((created_at,call_id,tool)>(?,?,?))"),
        ("delete_work_of_runs", "INDEX work_of_run (run_id=?)"),
        ("delete_work", "INDEX sqlite_autoindex_work_1 (call_id=?)"),
        ("redeliver", "INDEX work_of_tool (tool=? AND state=?)"),
        ("count_work", "COVERING INDEX work_of_tool"),
    ],
)
def test_look_ups_use_the_index_made_for_them(statement: str, index: str) -> None:
    assert index in plans(frozenset({statement}))[statement]


def test_every_statement_is_used_and_every_used_one_exists() -> None:
    code = "".join(file.read_text() for file in SOURCES.glob("*.py"))
    assert {name for name in STATEMENTS.names if f'"{name}"' not in code} == set()
    used = re.findall(r'(?:execute|write_rows|number_rows|select_rows)\(\s*"([a-z_]+)"', code)
    assert set(used) <= STATEMENTS.names


def test_statements_are_found_by_name_and_repeat_their_rows() -> None:
    found = Statements("-- a file\n\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nINSERT INTO t VALUES (?, ?) ...\n")
    assert found["one"] == "SELECT 1"
    assert found.rows("two", 3) == "INSERT INTO t VALUES (?, ?), (?, ?), (?, ?)"
    with pytest.raises(KeyError):
        found["three"]
    with pytest.raises(ValueError, match="not a row statement"):
        found.rows("one", 2)
    with pytest.raises(ValueError, match="same name"):
        Statements("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")
