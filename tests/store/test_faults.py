"""All or nothing: whatever statement of a commit fails, and wherever a crash stops it."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.errors import InfrastructureError
from penstock.store.rows import CommitOutcome, Committed, RunCommit
from penstock.store.sqlite import SqliteStore
from tests.store.samples import ended, event, run_id, subscription, turn

BEFORE = [turn(1, subscribe=(subscription(1, 1, "t"),)), turn(2)]
DURING = [
    turn(1, 2, unsubscribe=(1,), subscribe=(subscription(1, 2, "u"),), values={b"d": b"v"}, checkpoint=True),
    ended(2, 2, messages=((run_id(1), b"m"),), events=(event("e"),), consumed=(1,)),
    turn(3, run={"labels": {"a": "b"}}),
    turn(3, 2),
]
STATEMENTS = 19
"""Those of one commit of `DURING`, BEGIN and COMMIT included; a test holds this number."""


class FaultAt:
    """Calls `fault` before the n-th statement once it is armed, and counts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._at = 0
        self._fault: Callable[[], None] | None = None

    def arm(self, at: int, fault: Callable[[], None]) -> None:
        self.names, self._at, self._fault = [], at, fault

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if self._fault is not None and len(self.names) == self._at:
            self._fault()


def disk_error() -> None:
    raise sqlite3.OperationalError("disk I/O error")


@asynccontextmanager
async def opened(path: Path, before_statement: Callable[[str], None] | None = None) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, before_statement=before_statement)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def prepare(store: SqliteStore) -> None:
    await store.commit(BEFORE)
    await store.send([(run_id(2), b"first")])


async def contents(store: SqliteStore) -> list[object]:
    """All that `DURING` changes."""
    runs = await store.list_runs(limit=9)
    return [
        *[await store.load_run(row.id) for row in runs],
        *[await store.journal(run_id(n), 0, 9) for n in (1, 2, 3)],
        *[[row.body for row in await store.inbox(0, 9)], await store.load_values(run_id(1), [b"d"])],
        *[await store.checkpoint(run_id(1), 9), [row.id for row in await store.list_events(limit=9)]],
        *[await store.subscriptions([("t", ""), ("u", "")]), await store.list_runs(labels={"a": "b"}, limit=9)],
    ]


async def both_contents(tmp_path: Path) -> tuple[list[object], list[object]]:
    async with opened(tmp_path / "wanted.db") as store:
        await prepare(store)
        before = await contents(store)
        await store.commit(DURING)
        return before, await contents(store)


async def test_a_commit_has_the_statements_that_these_tests_stop_at(tmp_path: Path) -> None:
    faults = FaultAt()
    async with opened(tmp_path / "p.db", faults) as store:
        await prepare(store)
        faults.arm(0, disk_error)
        await store.commit(DURING)
    assert (faults.names[0], faults.names[-1], len(faults.names)) == ("BEGIN IMMEDIATE", "COMMIT", STATEMENTS)


@pytest.mark.parametrize("at", range(1, STATEMENTS + 1))
async def test_an_error_of_the_disk_leaves_nothing_of_the_commit(tmp_path: Path, at: int) -> None:
    """The last statement is COMMIT: one that reports failure."""
    before, after = await both_contents(tmp_path)
    faults = FaultAt()
    async with opened(tmp_path / "p.db", faults) as store:
        await prepare(store)
        faults.arm(at, disk_error)
        with pytest.raises(InfrastructureError, match="disk I/O error"):
            await store.commit(DURING)
        assert len(faults.names) in {at, at + 1}  # a ROLLBACK may follow
        assert await contents(store) == before
    async with opened(tmp_path / "p.db") as store:
        assert await contents(store) == before
        assert all(isinstance(outcome, Committed) for outcome in await store.commit(DURING))
        assert await contents(store) == after


@pytest.mark.parametrize("at", range(1, STATEMENTS + 1))
async def test_a_crash_between_two_statements_leaves_nothing_of_the_commit(tmp_path: Path, at: int) -> None:
    """A copy of the files at that moment is what a crash would leave."""
    before, _ = await both_contents(tmp_path)
    faults = FaultAt()
    crashed = tmp_path / "crashed"

    def copy_files() -> None:
        crashed.mkdir()
        for file in ("p.db", "p.db-wal"):
            shutil.copy(tmp_path / file, crashed / file)

    async with opened(tmp_path / "p.db", faults) as store:
        await prepare(store)
        faults.arm(at, copy_files)
        await store.commit(DURING)
    async with opened(crashed / "p.db") as store:
        assert await contents(store) == before


async def test_a_crash_after_the_call_returned_loses_nothing(tmp_path: Path) -> None:
    _, after = await both_contents(tmp_path)
    async with opened(tmp_path / "p.db") as store:
        await prepare(store)
        await store.commit(DURING)
        (tmp_path / "crashed").mkdir()
        for file in ("p.db", "p.db-wal"):
            shutil.copy(tmp_path / file, tmp_path / "crashed" / file)
    async with opened(tmp_path / "crashed" / "p.db") as store:
        assert await contents(store) == after


async def test_a_rollback_that_fails_too_is_done_before_the_next_commit(tmp_path: Path) -> None:
    failing = {"COMMIT", "ROLLBACK"}

    def fail(name: str) -> None:
        if armed and name in failing:
            failing.remove(name)
            disk_error()

    armed = False
    async with opened(tmp_path / "p.db", fail) as store:
        armed = True
        with pytest.raises(InfrastructureError):
            await store.commit([turn(1)])
        assert failing == set()
        outcomes: list[CommitOutcome] = await store.commit([turn(2)])
        assert isinstance(outcomes[0], Committed)
        assert [row.id for row in await store.list_runs(limit=9)] == [run_id(2)]


async def test_a_full_disk_fails_the_write_and_says_so(tmp_path: Path) -> None:
    """A real refusal by SQLite: the file may not grow."""
    async with opened(tmp_path / "p.db") as store:
        await store.commit([turn(1)])
        session = store._session
        assert session is not None
        session.control("PRAGMA max_page_count = 1")  # SQLite makes that the present size
        large: list[RunCommit] = [turn(2, state=bytes(10_000_000))]
        with pytest.raises(InfrastructureError, match="full; free some space"):
            await store.commit(large)
        assert await store.load_run(run_id(2)) is None
        assert store.statistics().failed_batches == 1
        session.control("PRAGMA max_page_count = 1000000")
        assert isinstance((await store.commit(large))[0], Committed)
