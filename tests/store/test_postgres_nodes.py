"""Several nodes over one schema: each partition has one holder, and whoever is gone commits nothing."""

# ruff: noqa: S608 - numbers of these tests

import asyncio
import signal
import subprocess
import sys
import time

import asyncpg
import pytest

from penstock.errors import CallerError, InfrastructureError
from penstock.model.limits import MAX_NODES, MIN_NODE_LEASE_MS
from penstock.store.notices import SharesChanged
from penstock.store.postgres import PostgresStore, roll
from penstock.store.postgres.address import parse_address
from penstock.store.postgres.migrate import load_migrations
from penstock.store.postgres.session import Session
from penstock.store.rows import Committed, NotOwned, StartKey
from penstock.store.shares import EVERY_PARTITION
from penstock.store.statements import load_statements
from tests.postgres_fixtures import without_schema
from tests.store.postgres_faults import At, all_committed
from tests.store.postgres_nodes import PATIENCE_S, change_nodes, joined, let_time_pass, share
from tests.store.samples import LONG_LEASE_MS, committed, held_by, run_id, turn
from tests.store.test_sqlite import child_environment

STATEMENTS = load_statements("penstock.store.postgres", "statements.sql")


async def test_members_share_evenly_and_each_partition_has_one_holder(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b, joined(postgres_url) as c:
        parts = await share(a, b, c)
        assert [len(part) for part in parts] == [22, 21, 21]
        assert frozenset().union(*parts) == EVERY_PARTITION
        rows = await b.nodes()
        assert [row.id for row in rows] == [a.id, b.id, c.id]
        assert [row.partitions for row in rows] == parts
        assert {(row.name, row.engine, row.until - row.seen_at) for row in rows} == {("test", True, LONG_LEASE_MS)}
        assert await share(a, b, c) == parts


async def test_everybody_moves_only_runs_that_it_holds(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        mine, others = await share(a, b)
        turns = [turn(n, end=n) for n in range(64)]
        outcomes = await a.commit(turns)
        assert {n for n, outcome in enumerate(outcomes) if isinstance(outcome, Committed)} == mine
        assert {n for n, outcome in enumerate(outcomes) if isinstance(outcome, NotOwned)} == others
        assert {row.id for row in await b.list_runs(limit=99)} == {run_id(n, n) for n in mine}
        assert all_committed(await b.commit([turns[n] for n in others]))


async def test_everybody_is_shown_only_what_is_due_where_it_holds(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        parts = await share(a, b)
        for node, part in zip((a, b), parts, strict=True):
            await node.commit([turn(n, end=n, run={"next_at": 1000 + n, "calling": True}) for n in part])
        await a.send([(run_id(n, n), b"m") for n in range(64)])
        for node, part in zip((a, b), parts, strict=True):
            ids = [run_id(n, n) for n in sorted(part)]
            assert [name for name, _ in await node.due_runs(9999, 99)] == ids
            assert await node.next_due_at(0) == 1000 + min(part)
            assert await node.calling_runs("", 99) == ids
            assert await node.calling_runs("", 99, [min(part)]) == ids[:1]
            assert [row.run_id for row in await node.inbox(0, 99)] == ids


async def test_nobody_discards_messages_of_runs_that_others_hold(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        mine, _ = await share(a, b)
        sent = await a.send([(run_id(n, n), b"m") for n in range(64)])
        assert await a.discard_inbox([row.seq for row in sent]) == len(mine)
        assert not await a.inbox(0, 99)
        assert len(await b.inbox(0, 99)) == 64 - len(mine)


async def test_a_member_that_is_silent_for_its_lease_is_expelled(postgres_url: str) -> None:
    async with joined(postgres_url, lease_ms=MIN_NODE_LEASE_MS) as silent, joined(postgres_url) as other:
        began = time.monotonic()
        shares = await other.renews_until(lambda shares: shares.held == EVERY_PARTITION)
        assert shares.engines == 1
        assert time.monotonic() - began > MIN_NODE_LEASE_MS / 1000 * 0.5
        assert [row.id for row in await other.nodes()] == [other.id]
        assert await silent.commit([turn(1)]) == [NotOwned()]


async def test_a_killed_member_is_expelled_long_before_its_lease_is_over(postgres_url: str) -> None:
    program = (
        "import asyncio, os\nfrom penstock.store.postgres import PostgresStore\n"
        "from tests.store.samples import held_by\n"
        f"store = PostgresStore({postgres_url!r})\nloop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(store.open())\nassert len(loop.run_until_complete(held_by(store)).held) == 64\n"
        f"os.kill(os.getpid(), {signal.SIGKILL})"
    )
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], env=child_environment(), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    began = time.monotonic()
    async with joined(postgres_url) as store:
        await store.renews_until(lambda shares: shares.held == EVERY_PARTITION)
    assert time.monotonic() - began < LONG_LEASE_MS / 1000 / 2


async def test_whoever_was_expelled_writes_no_turn_and_begins_anew(postgres_url: str) -> None:
    async with joined(postgres_url) as late, joined(postgres_url) as other:
        committed(await late.commit([turn(1)]))
        former = late.id
        await let_time_pass(postgres_url, late)
        assert (await other.renew()).held == EVERY_PARTITION
        outcomes, sent = await asyncio.gather(late.commit([turn(1, 2)]), late.send([(run_id(1), b"m")]))
        assert outcomes == [NotOwned()]
        assert await other.inbox(0, 9) == sent
        await late.release([1, 2, 3])
        assert (await other.renew()).held == EVERY_PARTITION
        committed(await other.commit([turn(1, 2)]))
        again = await late.renew()
        assert again.node != former
        assert (again.held, again.engines) == (frozenset(), 2)
        assert await late.commit([turn(1, 3)]) == [NotOwned()]
        assert [len(part) for part in await share(other, late)] == [32, 32]


async def test_a_turn_that_is_past_its_fence_counts_and_expelling_waits_for_it(postgres_url: str) -> None:
    at = At()
    async with joined(postgres_url, at) as late, joined(postgres_url) as other:
        committed(await late.commit([turn(1)]))

        async def expel() -> None:
            await let_time_pass(postgres_url, late)
            assert (await other.renew()).held == frozenset()

        at.arm("COMMIT", expel)
        committed(await late.commit([turn(1, 2)]))
        assert (await other.renew()).held == EVERY_PARTITION
        assert await late.commit([turn(1, 3)]) == [NotOwned()]
        committed(await other.commit([turn(1, 3)]))


async def test_a_member_that_freezes_in_the_middle_of_a_statement_is_expelled(postgres_url: str) -> None:
    """To the server its session is at work, not idle; it holds the fence until somebody ends it."""
    at, lease_ms = At(), MIN_NODE_LEASE_MS
    async with joined(postgres_url, at, lease_ms=lease_ms) as frozen, joined(postgres_url, lease_ms=lease_ms) as other:

        async def freeze() -> None:
            assert frozen._writer is not None
            connection = frozen._writer._link._connection
            assert connection is not None
            await connection.execute("SELECT pg_sleep(600)")

        at.arm("insert_journal", freeze)
        late = asyncio.create_task(frozen.commit([turn(1)]))
        await other.renews_until(lambda shares: shares.held == EVERY_PARTITION)
        await late  # done again on another connection: before it was expelled, or in vain
        assert await frozen.commit([turn(2)]) == [NotOwned()]


async def test_a_member_that_freezes_while_it_settles_holds_nobody_up(postgres_url: str) -> None:
    lease_ms = MIN_NODE_LEASE_MS
    async with joined(postgres_url, lease_ms=lease_ms) as frozen, joined(postgres_url, lease_ms=lease_ms) as other:

        async def freeze(session: Session) -> None:
            async with session.transaction():
                await session.value("lock_members", frozen._members._membership_lock)
                await session._connection.execute("SELECT pg_sleep(600)")

        freezing = asyncio.create_task(frozen._members._control.do(freeze, 600_000))
        await other.renews_until(lambda shares: shares.held == EVERY_PARTITION)
        freezing.cancel()


async def test_a_turn_before_its_fence_does_not_count(postgres_url: str) -> None:
    at = At()
    async with joined(postgres_url, at) as late, joined(postgres_url) as other:
        committed(await late.commit([turn(1)]))

        async def expel() -> None:
            await let_time_pass(postgres_url, late)
            assert (await other.renew()).held == EVERY_PARTITION

        at.arm("fence", expel)
        assert await late.commit([turn(1, 2)]) == [NotOwned()]
        assert at.names == ["BEGIN", "fence", "COMMIT"]


async def test_a_member_that_renewed_after_it_was_looked_at_stays(postgres_url: str) -> None:
    """Its time was over, but it came back before the other could expel it."""
    async with joined(postgres_url) as late, joined(postgres_url) as other:
        await let_time_pass(postgres_url, late)
        seen = await other._read(roll.call_roll)
        assert seen.settle(other.id).expel == {late.id}
        await late.renew()
        assert await other._write(lambda session: roll.expel(session, seen, {late.id})) == 0
        assert {row.id for row in await other.nodes()} == {late.id, other.id}


async def test_what_is_released_goes_to_others_after_the_writes_before_it(postgres_url: str) -> None:
    async with joined(postgres_url) as giver, joined(postgres_url) as taker:
        surplus = (await giver.renew()).surplus
        assert len(surplus) == 32
        end = min(surplus)
        before, _, after = await asyncio.gather(
            giver.commit([turn(1, end=end)]), giver.release(surplus), giver.commit([turn(1, 2, end=end)])
        )
        assert [type(outcome) for outcome in (*before, *after)] == [Committed, NotOwned]
        await taker.hears(SharesChanged())
        assert (await taker.renew()).held == surplus
        committed(await taker.commit([turn(1, 2, end=end)]))
        assert (await giver.renew()).held == EVERY_PARTITION - surplus


async def test_closing_hands_everything_over_at_once(postgres_url: str) -> None:
    async with joined(postgres_url) as stays:
        async with joined(postgres_url) as leaves:
            assert [len(part) for part in await share(stays, leaves)] == [32, 32]
            stays.heard.clear()
        await stays.hears(SharesChanged())
        shares = await stays.renew()
        assert (shares.held, shares.engines) == (EVERY_PARTITION, 1)


async def test_a_member_that_takes_requests_only_holds_nothing(postgres_url: str) -> None:
    async with joined(postgres_url, engine=False) as front, joined(postgres_url) as engine:
        assert [len(part) for part in await share(front, engine)] == [0, 64]
        assert await front.commit([turn(1)]) == [NotOwned()]
        assert await front.due_runs(9999, 9) == []
        committed(await front.commit([turn(1, unowned=True)]))
        assert await front.commit([turn(1, 2, unowned=True)]) == [NotOwned()]
        committed(await engine.commit([turn(1, 2)]))
        assert [(row.engine, len(row.partitions)) for row in await front.nodes()] == [(False, 0), (True, 64)]


async def test_a_store_that_was_only_opened_writes_no_turns(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    await store.open()
    assert await store.commit([turn(1), turn(2, unowned=True)]) == [NotOwned(), Committed()]
    assert len(await store.send([(run_id(1), b"m")])) == 1
    with pytest.raises(InfrastructureError, match="not joined"):
        await store.renew()
    await held_by(store)
    with pytest.raises(InfrastructureError, match="joined already"):
        await held_by(store)
    committed(await store.commit([turn(1)]))
    await store.close()


async def test_a_lease_that_is_too_short_is_refused(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    await store.open()
    with pytest.raises(CallerError, match=f"{MIN_NODE_LEASE_MS} ms"):
        await held_by(store, lease_ms=MIN_NODE_LEASE_MS - 1)
    await held_by(store, lease_ms=MIN_NODE_LEASE_MS)
    await store.close()


async def test_one_engine_more_than_there_may_be_is_refused_until_one_is_gone(postgres_url: str) -> None:
    others = (
        "INSERT INTO nodes (id, name, engine, session, joined_at, seen_at, until) "
        f"SELECT 'x' || n, '', true, 0, t, t, t + 600000 FROM generate_series(1, {MAX_NODES - 1}) AS n, "
        "(SELECT (extract(epoch FROM now()) * 1000)::bigint + 60000 AS t) AS clock"
    )
    async with joined(postgres_url) as first:
        await change_nodes(postgres_url, others)
        assert len((await first.renew()).surplus) == 63
        store = PostgresStore(postgres_url)
        await store.open()
        with pytest.raises(InfrastructureError, match=f"{MAX_NODES} engines"):
            await held_by(store)
        await change_nodes(postgres_url, "UPDATE nodes SET until = 0 WHERE id = 'x1'")
        await held_by(store)
        assert len(await store.nodes()) == MAX_NODES
        await store.close()


async def test_a_node_that_is_too_old_for_the_schema_is_told_so(postgres_url: str) -> None:
    newer = len(load_migrations()) + 1
    async with joined(postgres_url) as old:
        await change_nodes(postgres_url, f"INSERT INTO penstock_migrations (number) VALUES ({newer})")
        (before,) = await old.nodes()
        with pytest.raises(InfrastructureError, match=f"has schema {newer}"):
            await old.renew()
        assert await old.nodes() == [before]  # its lease runs out


async def test_renewing_does_not_wait_long_for_a_member_that_fell_silent_while_it_settled(postgres_url: str) -> None:
    silent = await asyncpg.connect(without_schema(postgres_url))
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        await share(a, b)
        await silent.execute("SELECT pg_advisory_lock($1)", parse_address(postgres_url).lock_key("members"))
        await let_time_pass(postgres_url, b)
        shares = await a.renew()
        assert len(shares.held) == 32
        await silent.close()
        assert (await a.renews_until(lambda shares: shares.engines == 1)).held == EVERY_PARTITION


async def test_after_an_unknown_outcome_a_transaction_that_is_left_behind_is_waited_for(postgres_url: str) -> None:
    left = await asyncpg.connect(without_schema(postgres_url))
    async with joined(postgres_url) as store:
        committed(await store.commit([turn(1)]))
        await left.execute(f"SET search_path = {store._address.schema}; BEGIN")
        await left.execute(STATEMENTS["fence"].replace("$1", f"'{store.id}'"))
        assert store._writer is not None
        settling = asyncio.create_task(store._writer._link.settle())
        waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))"
        async with asyncio.timeout(PATIENCE_S):
            while not await left.fetchval(waits, left.get_server_pid()):  # noqa: ASYNC110 - only the server knows
                await asyncio.sleep(0.01)
        assert not settling.done()
        assert len((await store.renew()).held) == 64
        await left.execute("COMMIT")
        await settling
        committed(await store.commit([turn(1, 2)]))
    await left.close()


async def test_a_start_key_makes_one_run_whoever_starts_it(postgres_url: str) -> None:
    async with joined(postgres_url, engine=False) as a, joined(postgres_url) as b:
        for number in range(10):
            keys = [StartKey("default", "demo", f"k{number}", b"h", run_id(number, end)) for end in (1, 2)]
            outcomes = await asyncio.gather(
                *(node.commit([turn(number, end=end, unowned=True)], [key])
                  for node, end, key in zip((a, b), (1, 2), keys, strict=True))
            )  # fmt: skip
            assert sorted(type(outcome).__name__ for (outcome,) in outcomes) == ["Committed", "Stale"]
        assert len(await b.list_runs(limit=99)) == 10
