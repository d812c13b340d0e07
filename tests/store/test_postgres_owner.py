"""One engine for each schema: late owners commit nothing, and a lost lock is taken again if nobody came between."""

import asyncio

import asyncpg
import pytest

from penstock.errors import InfrastructureError, StoreInUse
from penstock.store.postgres import PostgresStore
from tests.postgres_fixtures import without_schema
from tests.store.postgres_faults import At, all_committed, opened, terminate
from tests.store.samples import run_id, turn


async def test_an_owner_that_lost_its_lock_commits_nothing_after_another_has_opened(postgres_url: str) -> None:
    async with opened(postgres_url) as first:
        await first.commit([turn(1)])
        await terminate(postgres_url, first._owner.pid)
        async with opened(postgres_url) as second:
            with pytest.raises(InfrastructureError):
                await first.commit([turn(1, 2)])
            assert [row.seq for row in await second.journal(run_id(1), 0, 9)] == [1]
            assert all_committed(await second.commit([turn(1, 2, state=b"second's")]))
        with pytest.raises(StoreInUse, match=r"taken .* over"):  # not even when the other has gone
            await first.commit([turn(1, 3)])


async def test_the_epoch_stops_a_transaction_that_began_before_another_opened(postgres_url: str) -> None:
    """The first engine has not noticed that its lock is gone: it looked before, and goes on after."""
    at = At()
    second = PostgresStore(postgres_url)

    async def take_over() -> None:
        await terminate(postgres_url, first._owner.pid)
        await second.open()

    async with opened(postgres_url, at) as first:
        await first.commit([turn(1)])
        at.arm("check_ownership", take_over)
        with pytest.raises(StoreInUse, match=r"taken .* over"):
            await first.commit([turn(1, 2)])
        assert "update_runs" not in at.names
        assert [row.seq for row in await second.journal(run_id(1), 0, 9)] == [1]
    await second.close()


async def test_taking_over_waits_for_a_transaction_that_may_still_commit(postgres_url: str) -> None:
    """A commit that is past its check counts, and the next owner sees it."""
    at = At()
    second = PostgresStore(postgres_url)
    opening: list[asyncio.Task[None]] = []

    async def take_over() -> None:
        await terminate(postgres_url, first._owner.pid)
        opening.append(asyncio.create_task(second.open()))
        while not await waits_for_a_row(postgres_url):  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(0.01)

    async with opened(postgres_url, at) as first:
        await first.commit([turn(1)])
        at.arm("COMMIT", take_over)
        assert all_committed(await first.commit([turn(1, 2)]))
        await opening[0]
        stored = await second.load_run(run_id(1))
        assert stored is not None
        assert stored.version == 2
        assert all_committed(await second.commit([turn(1, 3)]))
    await second.close()


async def waits_for_a_row(url: str) -> bool:
    connection = await asyncpg.connect(without_schema(url))
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%engine_owner%'"
    try:
        return bool(await connection.fetchval(statement))
    finally:
        await connection.close()


async def test_a_lost_lock_is_taken_again_if_nobody_came_between(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        await store.commit([turn(1)])
        await terminate(postgres_url, store._owner.pid)
        assert all_committed(await store.commit([turn(1, 2)]))
        with pytest.raises(StoreInUse, match="is in use"):
            await PostgresStore(postgres_url).open()
