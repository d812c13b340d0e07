"""A database of an older Penstock keeps what it holds when a newer one opens it."""

# ruff: noqa: S608 - names of schemas that these tests made

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from penstock.errors import StoreInUse
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.address import parse_address
from penstock.store.postgres.migrate import load_migrations
from penstock.store.rows import Committed
from tests.postgres_fixtures import without_schema
from tests.store.contract_work import offering, work
from tests.store.postgres_faults import opened
from tests.store.samples import BEGAN, run_id, turn

ENDS = (0x00, 0x07, 0x40, 0xFF)
"""Last bytes of ids, and so partitions 0, 7, 0 and 63."""

RUN = (
    "INSERT INTO runs VALUES "
    "($1, $2, 'default', 'demo', '1.0.0', 'waiting', $3, $3, 0, $3, true, '{}', '', '', '', 1, 's')"
)
SUBSCRIPTION = "INSERT INTO subscriptions (run_id, entry, filter, topic, key, body) VALUES ($1, 1, 0, 't', '', 'b')"
EVENT = (
    "INSERT INTO events (source, id, type, subject, at, expires_at, run_id, routed, body) "
    "VALUES ('/s', $1, 't', '', 0, 0, '', $2, 'b')"
)


async def schema_one(url: str, routed: Sequence[bool]) -> asyncpg.Connection:
    """A database of the first schema, with runs, messages, subscriptions, and events that were routed or not."""
    schema = parse_address(url).schema
    connection = await asyncpg.connect(without_schema(url))
    await connection.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}")
    await connection.execute("CREATE TABLE penstock_migrations (number integer PRIMARY KEY, applied_at timestamptz)")
    await connection.execute(load_migrations()[0])
    await connection.execute(
        "INSERT INTO penstock_migrations VALUES (1, now()); INSERT INTO engine_owner (epoch) VALUES (9)"
    )
    for number, end in enumerate(ENDS):
        name = run_id(number, end)
        await connection.execute(RUN, name, end % 64, BEGAN)
        await connection.execute(SUBSCRIPTION, name)
        await connection.execute("INSERT INTO inbox (partition, run_id, body) VALUES ($1, $2, 'm')", end % 64, name)
    await connection.execute(SUBSCRIPTION, "no id")
    for number, was_routed in enumerate(routed):
        await connection.execute(EVENT, f"e{number}", was_routed)
    return connection


async def test_what_the_first_schema_held_is_there_and_goes_on(postgres_url: str) -> None:
    connection = await schema_one(postgres_url, [True])
    async with opened(postgres_url) as store:
        names = [run_id(number, end) for number, end in enumerate(ENDS)]
        assert sorted(row.id for row in await store.list_runs(limit=9)) == names
        assert [name for name, _ in await store.due_runs(BEGAN, 9)] == names
        assert [row.run_id for row in await store.inbox(0, 9)] == names
        assert {s.run_id for s in await store.subscriptions([("t", "")])} == {*names, "no id"}
        outcomes = await store.commit([turn(number, 2, end=end) for number, end in enumerate(ENDS)])
        assert [type(outcome) for outcome in outcomes] == [Committed] * len(ENDS)
        await store.commit([offering(work("a", run_id=names[0]), number=0, end=ENDS[0], version=3)])
        assert await store.list_work(limit=9) == [work("a", run_id=names[0])]
    rows = await connection.fetch('SELECT run_id, partition FROM subscriptions ORDER BY run_id COLLATE "C"')
    assert [tuple(row) for row in rows] == [*zip(names, (0, 7, 0, 63), strict=True), ("no id", 0)]
    assert not await connection.fetchval("SELECT to_regclass('engine_owner') IS NOT NULL")
    await connection.close()


@pytest.mark.parametrize(
    ("routed", "cursor"),
    [([], 0), ([True, True, True], 3), ([True, False, True], 1), ([False, True], 0), ([True, True, False, False], 2)],
)
async def test_routing_goes_on_before_the_first_event_that_was_not_routed(
    postgres_url: str, routed: list[bool], cursor: int
) -> None:
    connection = await schema_one(postgres_url, routed)
    async with opened(postgres_url):
        pass
    rows = await connection.fetch("SELECT partition, routed_seq, epoch FROM partitions ORDER BY partition")
    assert [tuple(row) for row in rows] == [(number, cursor, 1) for number in range(64)]
    await connection.close()


async def test_an_engine_of_the_first_schema_writes_nothing_after_it(postgres_url: str) -> None:
    """What it did at every transaction fails now."""
    connection = await schema_one(postgres_url, [])
    async with opened(postgres_url):
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute("SELECT epoch FROM engine_owner FOR SHARE")
    await connection.close()


async def test_a_database_is_not_migrated_while_an_engine_of_the_first_schema_owns_it(postgres_url: str) -> None:
    connection = await schema_one(postgres_url, [])
    await connection.execute("SELECT pg_advisory_lock($1)", parse_address(postgres_url).lock_key("owner"))
    with pytest.raises(StoreInUse):
        await PostgresStore(postgres_url).open()
    assert await connection.fetchval("SELECT max(number) FROM penstock_migrations") == 1
    await connection.close()


async def test_nodes_that_open_a_new_database_at_the_same_time_make_it_once(postgres_url: str) -> None:
    stores = [PostgresStore(postgres_url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    connection = await asyncpg.connect(without_schema(postgres_url))
    table = f"{parse_address(postgres_url).schema}.penstock_migrations"
    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == len(load_migrations())
    await connection.close()
    for store in stores:
        await store.close()
