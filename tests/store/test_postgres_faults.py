"""All or nothing over PostgreSQL: statements that fail, connections that end in between, servers that restart."""

import asyncio

import asyncpg
import pytest

from penstock.errors import CallerError, InfrastructureError
from penstock.store.postgres import PostgresStore
from penstock.store.rows import Committed, JournalRow, Rejected, RunCommit, Stale
from tests.postgres_fixtures import execute
from tests.postgres_server import PostgresServer
from tests.store.postgres_faults import At, all_committed, opened, terminate, writing_pid
from tests.store.postgres_wire import Moment, wired
from tests.store.samples import BEGAN, ended, event, held_by, run_id, subscription, turn

BEFORE = [turn(1, subscribe=(subscription(1, 1, "t"),)), turn(2)]
DURING = [
    turn(1, 2, unsubscribe=(1,), subscribe=(subscription(1, 2, "u"),), values={b"d": b"v"}, checkpoint=True),
    ended(2, 2, messages=((run_id(1), b"m"),), events=(event("e"),), consumed=(1,)),
    turn(3, run={"labels": {"a": "b"}}),
    turn(3, 2),
]
STATEMENTS = 18
"""Those of one commit of `DURING`, BEGIN and COMMIT included; a test holds this number."""
BEFORE_COMMIT = ["BEGIN", "fence", "update_runs", "insert_journal", "insert_inbox"]
"""Those of a turn with one message, but for COMMIT."""


async def disk_error() -> None:
    raise asyncpg.PostgresIOError("could not extend file")


async def nothing() -> None:
    pass


async def prepare(store: PostgresStore) -> None:
    await store.commit(BEFORE)
    await store.send([(run_id(2), b"first")])


async def contents(store: PostgresStore) -> list[object]:
    """All that `DURING` changes."""
    runs = await store.list_runs(limit=9)
    return [
        *[await store.load_run(row.id) for row in runs],
        *[await store.journal(run_id(n), 0, 9) for n in (1, 2, 3)],
        *[[row.body for row in await store.inbox(0, 9)], await store.load_values(run_id(1), [b"d"])],
        *[await store.checkpoint(run_id(1), 9), [row.id for row in await store.list_events(limit=9)]],
        *[await store.subscriptions([("t", ""), ("u", "")]), await store.list_runs(labels={"a": "b"}, limit=9)],
    ]


async def test_a_commit_has_the_statements_that_these_tests_stop_at(postgres_url: str) -> None:
    at = At()
    async with opened(postgres_url, at) as store:
        await prepare(store)
        at.arm(0, nothing)
        await store.commit(DURING)
    assert (at.names[0], at.names[-1], len(at.names)) == ("BEGIN", "COMMIT", STATEMENTS)


async def test_an_error_of_the_disk_leaves_nothing_of_the_commit(postgres_url: str) -> None:
    """At every statement, one after the other."""
    at = At()
    async with opened(postgres_url, at) as store:
        await prepare(store)
        before = await contents(store)
        for number in range(1, STATEMENTS + 1):
            at.arm(number, disk_error)
            with pytest.raises(InfrastructureError, match="could not extend file"):
                await store.commit(DURING)
            assert await contents(store) == before
        assert all_committed(await store.commit(DURING))
        assert await contents(store) != before
        assert store.statistics().failed_batches == STATEMENTS


async def test_a_session_that_ends_before_commit_costs_a_repetition_and_nothing_else(postgres_url: str) -> None:
    """At every statement before COMMIT, on the server: the whole is done again on a new connection."""
    at = At()
    async with opened(postgres_url, at) as store:
        await store.commit([turn(1)])
        for version, name in enumerate(BEFORE_COMMIT, start=2):
            pid = await writing_pid(store)
            at.arm(name, lambda pid=pid: terminate(postgres_url, pid))
            assert all_committed(await store.commit([turn(1, version, messages=((run_id(1), name.encode()),))]))
            assert at.names == [*BEFORE_COMMIT[: version - 1], *BEFORE_COMMIT, "COMMIT"]
        assert [row.seq for row in await store.journal(run_id(1), 0, 99)] == list(range(1, len(BEFORE_COMMIT) + 2))
        assert [row.body.decode() for row in await store.inbox(0, 99)] == BEFORE_COMMIT
        assert store.statistics().failed_batches == 0


@pytest.mark.parametrize(("moment", "written"), [("before it", False), ("before its answer", True)])
@pytest.mark.mission("M130")
async def test_a_connection_that_ends_in_commit_is_an_unknown_outcome(
    postgres_url: str, moment: Moment, written: bool
) -> None:
    """Whether it was written or not, the call fails; and whoever reads after that sees what is true for good."""
    async with wired(postgres_url) as wire, opened(wire.url) as store:
        await store.commit([turn(1)])
        wire.cut("COMMIT", moment)
        together = [store.commit([turn(1, 2)]), store.send([(run_id(1), b"m")])]
        results = await asyncio.gather(*together, return_exceptions=True)
        assert [type(result) for result in results] == [InfrastructureError] * 2
        assert wire.has_cut.is_set()
        stored = await store.load_run(run_id(1))
        assert stored is not None
        assert stored.version == (2 if written else 1)
        assert len(await store.inbox(0, 9)) == written
        again = Stale if written else Committed
        assert [type(outcome) for outcome in await store.commit([turn(1, 2)])] == [again]


async def live(store: PostgresStore, number: int, versions: int) -> int:
    """Leads a run through its versions as an engine does: after a failure it reads before it goes on."""
    failures = version = 0
    while version < versions:
        body = b"%d" % (version + 1)
        try:
            (outcome,) = await store.commit([turn(number, version + 1, messages=((run_id(number), body),))])
            assert isinstance(outcome, Committed)
            version += 1
        except InfrastructureError:
            failures += 1
            stored = await store.load_run(run_id(number))
            version = stored.version if stored else 0
    return failures


@pytest.mark.mission("M130")
@pytest.mark.parametrize("crash", [False, True], ids=["restart", "crash"])
async def test_a_server_that_restarts_in_the_middle_of_commits_loses_and_doubles_nothing(
    postgres_server: PostgresServer, crash: bool
) -> None:
    url = f"{postgres_server.url}&schema=restart_{crash}".lower()
    async with opened(url) as store:
        lives = asyncio.gather(*(live(store, number, 60) for number in range(8)))
        for _ in range(3):
            turns = store.statistics().turns
            while store.statistics().turns < turns + 40:  # noqa: ASYNC110 - the store tells by its counters only
                await asyncio.sleep(0)
            await asyncio.to_thread(postgres_server.stop, crash=crash)
            await asyncio.to_thread(postgres_server.start)
        await lives
        waiting = await store.inbox(0, 10_000)
        for number in range(8):
            stored = await store.load_run(run_id(number))
            assert stored is not None
            assert stored.version == 60
            assert [row.seq for row in await store.journal(run_id(number), 0, 99)] == list(range(1, 61))
            bodies = [row.body for row in waiting if row.run_id == run_id(number)]
            assert bodies == [b"%d" % version for version in range(1, 61)]


@pytest.mark.mission("M130")
async def test_writes_and_reads_wait_for_a_server_that_is_away_for_a_moment(postgres_server: PostgresServer) -> None:
    async with opened(f"{postgres_server.url}&schema=away") as store:
        await store.commit([turn(1)])
        await asyncio.to_thread(postgres_server.stop)
        writing = asyncio.ensure_future(store.commit([turn(1, 2)]))
        reading = asyncio.ensure_future(store.load_run(run_id(1)))
        await asyncio.sleep(0)
        await asyncio.to_thread(postgres_server.start)
        assert all_committed(await writing)
        found = await reading
        assert found is not None
        assert found.version in {1, 2}


async def test_what_the_server_refuses_is_rejected_alone(postgres_url: str) -> None:
    poisoned = turn(7, run={"fault_title": "NUL \0"})
    twice = turn(8, journal=(JournalRow(1, BEGAN, b"a"), JournalRow(1, BEGAN, b"b")))
    good: list[RunCommit] = [turn(n) for n in range(20, 120)]
    async with opened(postgres_url) as store:
        outcomes = await store.commit([*good[:60], poisoned, *good[60:], twice])
        assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)] == [60, 101]
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 100
        assert store.statistics().retried_batches == 1
        refused = outcomes[60]
        assert isinstance(refused, Rejected)
        assert "0x00" in refused.reason
        assert "NUL" not in refused.reason  # what the row held is not repeated


async def test_a_poisoned_turn_is_found_in_few_steps(postgres_url: str) -> None:
    at = At()
    async with opened(postgres_url, at) as store:
        at.arm(0, nothing)
        await store.commit([turn(n, run={"fault_title": "\0" if n == 300 else ""}) for n in range(512)])
    assert at.names.count("SAVEPOINT part") < 25


async def test_what_a_caller_sends_that_no_database_can_hold_is_the_callers_mistake(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        with pytest.raises(CallerError, match="cannot hold"):
            await store.put_events([event("NUL \0")])
        with pytest.raises(CallerError, match="cannot hold"):
            await store.load_run("NUL \0")
        with pytest.raises(CallerError, match="cannot hold"):
            await store.put_events([event("".join(map(str, range(40_000))))])  # too long for its index
        assert await store.list_events(limit=9) == []


async def test_a_server_that_cannot_be_reached_is_said_without_its_password() -> None:
    store = PostgresStore("postgresql://me:secret@127.0.0.1:1/db?connect_timeout=1")
    with pytest.raises(InfrastructureError, match=r"postgresql://me@127\.0\.0\.1:1/db") as caught:
        await store.open()
    assert "secret" not in str(caught.value)


async def test_closing_while_the_server_is_away_ends(postgres_server: PostgresServer) -> None:
    store = PostgresStore(f"{postgres_server.url}&schema=closing")
    await store.open()
    await held_by(store)
    await store.commit([turn(1)])
    await asyncio.to_thread(postgres_server.stop)
    try:
        async with asyncio.timeout(30):
            await store.close()
    finally:
        await asyncio.to_thread(postgres_server.start)
    await execute(postgres_server.url, "DROP SCHEMA closing CASCADE")
