"""What is PostgreSQL's own: its URL, its schema and migrations, its statements, and `kill -9` of the engine."""

# ruff: noqa: S608 - names of schemas that these tests made

import re
import sys
from pathlib import Path

import asyncpg
import pytest

from penstock.errors import CallerError, InfrastructureError, StoreInUse
from penstock.store import open_store, path_of, shown_url
from penstock.store.partitions import partition_of
from penstock.store.postgres import PostgresStore
from penstock.store.postgres import store as store_module
from penstock.store.postgres.address import parse_address
from penstock.store.postgres.migrate import load_migrations
from penstock.store.rows import Committed
from penstock.store.statements import load_statements
from tests.postgres_fixtures import execute, with_schema, without_schema
from tests.store.postgres_faults import opened
from tests.store.samples import held_by, run_id, turn, workflow

STATEMENTS = load_statements("penstock.store.postgres", "statements.sql")
SOURCES = Path(store_module.__file__).parent


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(without_schema(url))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def schema_of(url: str) -> str:
    return parse_address(url).schema


async def test_reopening_keeps_everything(postgres_url: str) -> None:
    for version in (1, 2, 3):
        store = open_store(postgres_url)
        await store.open()
        await held_by(store)
        assert isinstance((await store.commit([turn(1, version)]))[0], Committed)
        await store.put_workflow(workflow("w"))
        assert [row.seq for row in await store.journal(run_id(1), 0, 9)] == list(range(1, version + 1))
        await store.close()


async def test_closing_may_be_repeated_and_nothing_works_after_it(postgres_url: str) -> None:
    store = open_store(postgres_url)
    await store.close()
    await store.open()
    with pytest.raises(InfrastructureError, match="open already"):
        await store.open()
    await store.close()
    await store.close()
    with pytest.raises(InfrastructureError, match="is not open"):
        await store.commit([turn(1)])
    with pytest.raises(InfrastructureError, match="is not open"):
        await store.load_run(run_id(1))


async def test_another_schema_is_another_store(postgres_url: str) -> None:
    other = f"{schema_of(postgres_url)}_other"
    async with opened(postgres_url) as first:
        async with opened(with_schema(without_schema(postgres_url), other)) as second:
            await second.commit([turn(1)])
            assert len(await second.nodes()) == 1
        assert await first.load_run(run_id(1)) is None
    await execute(without_schema(postgres_url), f"DROP SCHEMA {other} CASCADE")


async def test_a_schema_that_somebody_has_for_himself_is_in_use(postgres_url: str) -> None:
    connection = await asyncpg.connect(without_schema(postgres_url))
    key = parse_address(postgres_url).lock_key("owner")
    await connection.execute("SELECT pg_advisory_lock($1)", key)
    with pytest.raises(StoreInUse, match=rf"is in use from .*session is {connection.get_server_pid()}\)"):
        await PostgresStore(postgres_url).open()
    await connection.close()
    async with opened(postgres_url):
        pass


async def test_a_newer_schema_is_refused_and_left_alone(postgres_url: str) -> None:
    table = f"{schema_of(postgres_url)}.penstock_migrations"
    async with opened(postgres_url):
        pass
    await execute(without_schema(postgres_url), f"INSERT INTO {table} (number) VALUES ({len(load_migrations()) + 1})")
    with pytest.raises(InfrastructureError, match="knows schemas up to"):
        await PostgresStore(postgres_url).open()
    await execute(without_schema(postgres_url), f"DELETE FROM {table} WHERE number > {len(load_migrations())}")
    async with opened(postgres_url):
        pass


async def test_a_schema_of_another_program_is_refused_and_left_alone(postgres_url: str) -> None:
    schema = schema_of(postgres_url)
    await execute(without_schema(postgres_url), f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs (x int)")
    with pytest.raises(InfrastructureError, match="belongs to another program"):
        await PostgresStore(postgres_url).open()
    tables = f"SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = '{schema}'"
    assert await ask(postgres_url, tables) == "theirs"


async def test_a_role_without_the_right_to_make_schemas_can_use_one(postgres_url: str) -> None:
    schema, base = schema_of(postgres_url), without_schema(postgres_url)
    role = f"{schema}_role"
    await execute(base, f"CREATE ROLE {role} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {role}")
    try:
        async with opened(postgres_url.replace("//postgres@", f"//{role}@")) as store:
            assert isinstance((await store.commit([turn(1)]))[0], Committed)
    finally:
        await execute(base, f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_commit_is_flushed_whatever_is_usual_for_the_role(postgres_url: str) -> None:
    relaxed = f"{postgres_url}&synchronous_commit=off"
    async with opened(relaxed) as store:
        await store.commit([turn(1)])
        assert store._writer is not None
        connection = store._writer._link._connection
        assert connection is not None
        assert await connection.fetchval("SHOW synchronous_commit") == "on"


async def test_rows_know_their_partition(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        await store.commit([turn(n) for n in range(3)])
        await store.send([(run_id(1)[:-2] + "ff", b"m"), ("no id", b"n")])
    schema = schema_of(postgres_url)
    assert await ask(postgres_url, f"SELECT array_agg(partition ORDER BY seq) FROM {schema}.inbox") == [63, 0]
    assert await ask(postgres_url, f"SELECT count(*) FROM {schema}.runs WHERE partition = 0") == 3
    assert [partition_of(end) for end in ("x00", "x3f", "x40", "xff", "xg1", "")] == [0, 63, 0, 63, 0, 0]


def test_a_url_is_shown_without_its_password() -> None:
    url = "postgres://me:se%40cret@db.example:5433/flows?sslmode=require&schema=mine&password=other"
    address = parse_address(url)
    assert (address.schema, address.place) == ("mine", "postgresql://me@db.example:5433/flows?schema=mine")
    assert address.dsn == "postgres://me:se%40cret@db.example:5433/flows?sslmode=require&password=other"
    assert shown_url(url) == "postgresql://me@db.example:5433/flows"
    assert shown_url("postgresql://me:secret@h:port/db") == "postgresql:…"
    assert shown_url("sqlite:a.db") == "sqlite:a.db"
    assert path_of(url) is None
    assert parse_address("postgresql:///db").schema == "penstock"
    assert parse_address("postgresql:///db?search_path=own").schema == "own"


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:secret@h:port/db", "postgresql://me:secret@h/db?schema=a%22b", "postgres://me:secret@h/db?x"],
)
def test_a_url_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(CallerError) as caught:
        open_store(url)
    assert "secret" not in caught.value.detail


def test_the_driver_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("penstock.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(CallerError, match=r"pip install 'penstock\[postgres\]'"):
        open_store("postgresql:///db")


def test_every_statement_is_used_and_every_used_one_exists() -> None:
    code = "".join(file.read_text() for file in SOURCES.glob("*.py"))
    assert {name for name in STATEMENTS.names if f'"{name}"' not in code} == set()
    used = re.findall(r'(?:execute|fetch|row|value)\(\s*"([a-z_]+)"', code)
    assert set(used) <= STATEMENTS.names


LOOK_UPS = {
    "load_run": "runs_pkey",
    "due_runs": "runs_due",
    "next_due_at": "runs_due",
    "calling_runs": "runs_calling",
    "list_runs": "runs_pkey",
    "list_runs_by_status": "runs_by_status",
    "list_runs_by_workflow": "runs_by_workflow",
    "list_runs_by_label": "run_labels_pkey",
    "ended_runs_of_workflow": "runs_ended",
    "journal": "journal_pkey",
    "events_after": "events_pkey",
    "delete_expired_events": "events_expiring",
    "events_since_of_type": "events_by_type",
    "subscriptions": "subscriptions_by_topic",
    "update_runs": "runs_pkey",
    "delete_inbox": "inbox_pkey",
    "list_workflows": "workflows_pkey",
    "work_to_lease": "work_of_tool",
    "lease_work": "work_pkey",
    "next_work_at": "work_of_tool",
    "push_due": "work_to_push",
    "next_push_at": "work_to_push",
    "list_work": "work_by_age",
    "list_dead_work": "work_dead",
    "delete_work": "work_pkey",
    "renew_work": "work_pkey",
    "return_work": "work_pkey",
    "push_result": "work_pkey",
    "delete_work_of_tools": "work_pkey",
    "delete_hopes_of_runs": "work_of_run",
    "redeliver": "work_dead",
}


async def test_look_ups_use_the_index_made_for_them(postgres_url: str) -> None:
    """Asked for without sequential scans, as the plan would be over large tables; and nothing sorts what is listed."""
    async with opened(postgres_url):
        pass
    connection = await asyncpg.connect(without_schema(postgres_url))
    await connection.execute(
        f"SET search_path = {schema_of(postgres_url)}; SET enable_seqscan = off; SET enable_bitmapscan = off; "
        "SET plan_cache_mode = force_generic_plan"
    )
    for name, index in LOOK_UPS.items():
        await connection.execute(f"PREPARE asked AS {STATEMENTS[name]}")
        count = len(set(re.findall(r"\$\d+", STATEMENTS[name])))
        rows = await connection.fetch(f"EXPLAIN EXECUTE asked ({', '.join(['NULL'] * count)})")
        plan = "\n".join(row[0] for row in rows)
        assert index in plan, f"{name}:\n{plan}"
        assert "Sort" not in plan or name == "subscriptions", f"{name}:\n{plan}"
        if name.startswith("list_runs"):
            assert re.search(r"Index Cond: .*\b(run_)?id < \$\d+.*id >= \$\d+", plan), (
                f"{name} is bounded by ids:\n{plan}"
            )
        await connection.execute("DEALLOCATE asked")
    await connection.close()
