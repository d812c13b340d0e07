"""Moving a system between stores: all of it, verified, whatever happens in between."""

import asyncio
import hashlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from penstock.errors import CallerError, Conflict, InfrastructureError, NotFound, StoreInUse
from penstock.store import open_store
from penstock.store.marks import Moved, MovedTable
from penstock.store.move import MoveReport, Progress, move
from penstock.store.move import postgres_end as postgres_module
from penstock.store.move import sqlite_end as sqlite_module
from penstock.store.move.postgres_end import PostgresEnd
from penstock.store.move.sqlite_end import SqliteEnd
from penstock.store.move.tables import LEFT_OUT, Table, moved_between
from penstock.store.postgres.address import parse_address
from penstock.store.shares import Membership
from penstock.store.sqlite.backup import back_up
from penstock.store.sqlite.upgrade import planned_upgrade, upgrade
from tests.postgres_fixtures import execute, with_schema, without_schema
from tests.store import move_child
from tests.store.move_samples import (
    MOVED_AT,
    RUNS,
    columns_of,
    contents,
    fill,
    id_of,
    now,
    quiet,
    sql,
    wrong_partitions,
)
from tests.store.samples import event
from tests.store.test_sqlite import child_environment

CHILD_S = 60


class Stopped(Exception):
    """A move ends here."""


@pytest.fixture
async def filled(tmp_path: Path) -> str:
    return await fill(tmp_path / "full.db")


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of either kind."""
    return f"sqlite:{tmp_path / 'target.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


async def moved(source: str, to: str, *, tell: Callable[[Progress], None] = quiet, dry_run: bool = False) -> MoveReport:
    return await move(source, to, now=now, tell=tell, dry_run=dry_run)


def names(report: MoveReport) -> list[str]:
    return [table.name for table in report.tables]


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:"))


def file_digest(url: str) -> str:
    return hashlib.sha256(file_of(url).read_bytes()).hexdigest()


class TestMoving:
    async def test_everything_is_at_the_target(self, filled: str, target: str) -> None:
        report = await moved(filled, target)
        assert all(table.rows for table in report.tables), "the sample has rows in every table that is moved"
        assert contents(filled, names(report)) == contents(target, names(report))
        assert report.secrets == 1

    async def test_through_every_kind_of_store_and_back(self, filled: str, postgres_url: str, tmp_path: Path) -> None:
        other = f"{postgres_url}_other"
        steps = [f"sqlite:{tmp_path / 'b.db'}", postgres_url, other, f"sqlite:{tmp_path / 'end.db'}"]
        place = filled
        reports = [await moved(filled, filled + "x", dry_run=True)]
        for step in steps:
            reports.append(await moved(place, step))
            place = step
        assert len({report.tables for report in reports}) == 1
        assert contents(filled, names(reports[0])) == contents(place, names(reports[0]))
        assert wrong_partitions(postgres_url) == wrong_partitions(other) == []
        await execute(without_schema(postgres_url), f"DROP SCHEMA {other.rpartition('=')[2]} CASCADE")

    async def test_numbers_go_on_above_those_that_were_ever_given(self, filled: str, target: str) -> None:
        await moved(filled, target)
        (highest_event,) = sql(filled, "SELECT seq FROM sqlite_sequence WHERE name = 'events'")[0]
        (highest_message,) = sql(filled, "SELECT seq FROM sqlite_sequence WHERE name = 'inbox'")[0]
        assert highest_message > sql(target, "SELECT max(seq) FROM inbox")[0][0], "the last message is deleted"
        routed = "routing" if target.startswith("sqlite:") else "partitions"
        column = "seq" if target.startswith("sqlite:") else "routed_seq"
        assert set(sql(target, f"SELECT {column} FROM {routed}")) == {(2,)}  # noqa: S608 - names from above
        store = open_store(target)
        await store.open()
        (message,) = await store.send([(id_of(1), b"next")])
        (stored,) = await store.put_events([event("next")])
        await store.close()
        assert stored is not None
        assert (message.seq, stored.seq) == (highest_message + 1, highest_event + 1)

    async def test_pages_may_be_small(self, filled: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (sqlite_module, postgres_module):
            monkeypatch.setattr(module, "MOVE_PAGE_ROWS", 7)
            monkeypatch.setattr(module, "MOVE_PAGE_BYTES", 20_000)
        told: list[Progress] = []
        report = await moved(filled, target, tell=told.append)
        values = [p.rows for p in told if (p.step, p.table) == ("copy", "run_values")]
        assert values == [*range(2, RUNS + 1, 2), RUNS], "two of 10 KiB reach 20,000 bytes"
        labels = [p.rows for p in told if (p.step, p.table) == ("copy", "run_labels")]
        assert labels[:3] == [7, 14, 21]
        assert contents(filled, names(report)) == contents(target, names(report))
        back = f"{filled}.back"
        assert (await moved(target, back)).tables == report.tables

    async def test_a_digest_tells_what_is_in_the_rows(self, filled: str, tmp_path: Path) -> None:
        before = await moved(filled, filled + "x", dry_run=True)
        sql(filled, "UPDATE journal SET body = x'00' WHERE run_id = (SELECT max(id) FROM runs)")
        after = await moved(filled, filled + "x", dry_run=True)
        assert [a.name for a, b in zip(before.tables, after.tables, strict=True) if a != b] == ["journal"]

    async def test_a_dry_run_writes_nothing(self, filled: str, target: str) -> None:
        before = file_digest(filled)
        report = await moved(filled, target, dry_run=True)
        assert report.dry_run
        assert MovedTable("runs", RUNS, report.tables[names(report).index("runs")].digest) in report.tables
        assert file_digest(filled) == before
        if target.startswith("sqlite:"):
            assert not file_of(target).exists()
        else:
            assert columns_of(target, "runs") == []


class TestOneSystem:
    """At no time can engines work on both stores."""

    async def test_the_source_rests_and_the_target_opens(self, filled: str, target: str) -> None:
        report = await moved(filled, target)
        with pytest.raises(InfrastructureError, match=r"was moved to .*so this store is at rest"):
            await open_store(filled).open()
        path = file_of(filled)
        for use in (upgrade, planned_upgrade):
            with pytest.raises(InfrastructureError, match="at rest"):
                await asyncio.to_thread(use, path)
        with pytest.raises(InfrastructureError, match="at rest"):
            await asyncio.to_thread(back_up, path, path.with_name("copy"))
        store = open_store(target)
        await store.open()
        assert len(await store.list_runs(limit=100)) == RUNS
        await store.close()
        assert contents(filled, names(report)) == contents(target, names(report)), "the data of the source stay"

    async def test_at_every_step_one_of_them_is_refused(self, filled: str, tmp_path: Path) -> None:
        """Stops at each thing that is told; then neither both nor the wrong one opens, and the same again ends it."""
        steps: list[Progress] = []
        await moved(await fill(tmp_path / "count.db"), f"sqlite:{tmp_path / 'counted.db'}", tell=steps.append)
        target = ""
        for at in range(len(steps)):
            target = f"sqlite:{tmp_path / f'target{at}.db'}"
            left = at

            def stop(_: Progress) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Stopped

            before = file_digest(filled)
            with pytest.raises(Stopped):
                await moved(filled, target, tell=stop)
            assert file_digest(filled) == before, "the source does not change before all is verified"
            with pytest.raises(InfrastructureError, match="unfinished target of a move from"):
                await open_store(target).open()
        report = await moved(filled, target)
        assert not report.repeated
        assert contents(filled, names(report)) == contents(target, names(report))

    async def test_the_same_again_tells_of_what_was_done(self, filled: str, target: str) -> None:
        first = await moved(filled, target)
        for dry_run in (False, True):
            again = await moved(filled, target, dry_run=dry_run)
            assert again.repeated
            assert again.tables == first.tables

    async def test_between_the_two_marks_the_same_again_ends_it(
        self, filled: str, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = SqliteEnd if target.startswith("sqlite:") else PostgresEnd
        with monkeypatch.context() as patch:

            async def fail(*_: object) -> None:
                raise Stopped

            original = end.set_mark

            async def set_mark(self: object, mark: object) -> None:
                await (fail() if mark is None else original(self, mark))  # pyright: ignore[reportArgumentType]

            patch.setattr(end, "set_mark", set_mark)
            with pytest.raises(Stopped):
                await moved(filled, target)
        for store, why in ((filled, "at rest"), (target, "unfinished")):
            with pytest.raises(InfrastructureError, match=why):
                await open_store(store).open()
        report = await moved(filled, target)
        assert not report.repeated
        assert contents(filled, names(report)) == contents(target, names(report))

    async def test_a_target_that_was_dropped_is_filled_again(self, filled: str, tmp_path: Path) -> None:
        target = tmp_path / "target.db"
        first = await moved(filled, f"sqlite:{target}")
        target.unlink()
        again = await moved(filled, f"sqlite:{target}")
        assert not again.repeated
        assert again.tables == first.tables


class TestKilled:
    """`kill -9`, in a process of its own."""

    async def test_again_and_again_until_it_is_done(self, filled: str, target: str) -> None:
        kills = 0
        while self.child(filled, target, 1 + 3 * kills) == -signal.SIGKILL:
            kills += 1
            with pytest.raises(InfrastructureError, match="unfinished"):
                await open_store(target).open()
        assert kills > 5
        report = await moved(filled, target)
        assert report.repeated
        assert contents(filled, names(report)) == contents(target, names(report))

    @staticmethod
    def child(source: str, target: str, fuse: int) -> int:
        command = [sys.executable, move_child.__file__, source, target, str(fuse)]
        done = subprocess.run(command, env=child_environment(), timeout=CHILD_S, check=False, capture_output=True)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        return done.returncode

    async def test_a_source_that_went_on_meanwhile_is_moved_as_it_is(self, filled: str, target: str) -> None:
        def stop(progress: Progress) -> None:
            if (progress.step, progress.table, progress.done) == ("copy", "workflows", True):
                raise Stopped

        with pytest.raises(Stopped):
            await moved(filled, target, tell=stop)
        path = file_of(filled)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE runs SET state = x'01', state_version = 9 WHERE id = ?", (id_of(3),))
            connection.execute("DELETE FROM inbox WHERE seq = (SELECT min(seq) FROM inbox)")
            connection.execute("INSERT INTO inbox (run_id, body) VALUES (?, x'02')", (id_of(4),))
            connection.execute("DELETE FROM deliveries")
        report = await moved(filled, target)
        assert contents(filled, names(report)) == contents(target, names(report))


class TestVerified:
    @pytest.mark.parametrize(
        ("table", "statement", "where"),
        [
            ("journal", "UPDATE journal SET body = '' WHERE run_id = '{run}'", "journal (run_id '{run}', seq 1)"),
            ("runs", "DELETE FROM runs WHERE id = '{run}'", "runs (id '{run}')"),
            (
                "deliveries",
                "INSERT INTO deliveries (event_seq, run_id) VALUES (1, 'zzz')",
                "deliveries (event_seq 1, run_id 'zzz')",
            ),
            ("subscriptions", "UPDATE subscriptions SET partition = 63 WHERE run_id = '{run}'", "(run_id '{run}', "),
            ("inbox", "SELECT nextval(pg_get_serial_sequence('inbox', 'seq'))", "the numbers of inbox"),
            ("inbox", "UPDATE partitions SET routed_seq = 1 WHERE partition = 7", "the routing of events"),
        ],
    )
    async def test_a_difference_is_found_and_named_and_mended(
        self, filled: str, postgres_url: str, table: str, statement: str, where: str
    ) -> None:
        done: list[str] = []

        def tamper(progress: Progress) -> None:
            """When everything is copied, and the first table was read back."""
            if progress.step == "verify" and not done:
                done.append(progress.table)
                sql(postgres_url, statement.format(run=id_of(7)))

        with pytest.raises(InfrastructureError) as caught:
            await moved(filled, postgres_url, tell=tamper)
        assert where.format(run=id_of(7)) in str(caught.value)
        assert table in str(caught.value) or where.startswith("the routing")
        with pytest.raises(InfrastructureError, match="unfinished"):
            await open_store(postgres_url).open()
        store = open_store(filled)
        await store.open()
        await store.close()
        report = await moved(filled, postgres_url)
        assert not report.repeated
        assert contents(filled, names(report)) == contents(postgres_url, names(report))

    async def test_a_difference_in_a_file_is_found_too(self, filled: str, tmp_path: Path) -> None:
        target = f"sqlite:{tmp_path / 'target.db'}"
        done: list[str] = []

        def tamper(progress: Progress) -> None:
            if progress.step == "verify" and not done:
                done.append(progress.table)
                sql(target, "UPDATE secrets SET sealed = x'00'")

        with pytest.raises(
            InfrastructureError, match=r"differs at secrets \(name 's'\): 1 rows with digest [0-9a-f]{32}"
        ):
            await moved(filled, target, tell=tamper)


class TestWhatPostgresCannotHold:
    @pytest.mark.parametrize("dry_run", [True, False])
    async def test_the_character_nul_is_named_with_its_row(self, filled: str, postgres_url: str, dry_run: bool) -> None:
        path = filled.removeprefix("sqlite:")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE events SET subject = 'a' || char(0) || 'b' WHERE seq = 4")
        told: list[Progress] = []
        with pytest.raises(Conflict, match=r"events \(seq 4\): its column subject holds the character NUL"):
            await moved(filled, postgres_url, tell=told.append, dry_run=dry_run)
        assert not [p for p in told if p.table == "events" and p.done]
        store = open_store(filled)
        await store.open()
        await store.close()

    async def test_a_key_too_long_for_an_index_is_named_with_its_row(self, filled: str, postgres_url: str) -> None:
        long = "".join(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(300))
        sql(filled, f"UPDATE events SET id = '{long}' WHERE seq = 3")  # noqa: S608 - hexadecimal digits
        with pytest.raises(Conflict, match=r"events \(seq 3\): PostgreSQL cannot hold it: .*index"):
            await moved(filled, postgres_url)
        sql(filled, "UPDATE events SET id = 'short' WHERE seq = 3")
        assert not (await moved(filled, postgres_url)).repeated


class TestRefused:
    async def test_a_store_that_an_engine_has_open(self, filled: str, target: str, tmp_path: Path) -> None:
        store = open_store(filled)
        await store.open()
        for dry_run in (True, False):
            with pytest.raises(StoreInUse, match="is in use"):
                await moved(filled, target, dry_run=dry_run)
        await store.close()
        store = open_store(target)
        await store.open()
        for source, to in ((filled, target), (target, f"sqlite:{tmp_path / 'third.db'}")):
            with pytest.raises(StoreInUse, match="is in use"):
                await moved(source, to)
        await store.close()
        assert not (await moved(filled, target)).repeated

    async def test_an_engine_that_comes_meanwhile(self, filled: str, target: str) -> None:
        refused: list[str] = []

        def come(progress: Progress) -> None:
            if progress.done and not refused:
                for place in (filled, target):
                    with pytest.raises(StoreInUse):
                        sql_open(place)
                    refused.append(place)

        await moved(filled, target, tell=come)
        assert refused == [filled, target]

    async def test_a_target_with_other_data(self, filled: str, target: str) -> None:
        store = open_store(target)
        await store.open()
        await store.put_secret("other", b"x")
        await store.close()
        for dry_run in (True, False):
            with pytest.raises(Conflict, match="holds data already"):
                await moved(filled, target, dry_run=dry_run)
        store = open_store(target)
        await store.open()
        assert list(await store.get_secrets()) == ["other"]
        await store.close()

    async def test_a_target_that_another_move_began(self, filled: str, target: str, tmp_path: Path) -> None:
        def stop(progress: Progress) -> None:
            raise Stopped

        with pytest.raises(Stopped):
            await moved(filled, target, tell=stop)
        other = await fill(tmp_path / "other.db")
        with pytest.raises(Conflict, match=r"unfinished target of a move from sqlite:.*full\.db; take an empty store"):
            await moved(other, target)
        with pytest.raises(Conflict, match="is itself the unfinished target"):
            await moved(target, f"sqlite:{tmp_path / 'third.db'}")

    async def test_a_system_that_was_moved_elsewhere(self, filled: str, target: str, tmp_path: Path) -> None:
        await moved(filled, target)
        with pytest.raises(Conflict, match=r"was moved to .* already: move it from there"):
            await moved(filled, f"sqlite:{tmp_path / 'second.db'}")
        with pytest.raises(Conflict, match=r"was moved to .*; take an empty store"):
            await moved(target, filled)

    async def test_the_same_store_twice_however_it_is_spelled(
        self, filled: str, postgres_url: str, tmp_path: Path
    ) -> None:
        path = file_of(filled)
        link = tmp_path / "link.db"
        link.symlink_to(path)
        for other in (filled, f"sqlite:{path.parent}/../{path.parent.name}/{path.name}", f"sqlite:{link}"):
            with pytest.raises(CallerError, match="are the same store"):
                await moved(filled, other)
        with pytest.raises(CallerError, match="are the same store"):
            await moved(postgres_url, postgres_url)

    @pytest.mark.parametrize(
        ("source", "to", "why"),
        [
            ("memory:", "sqlite:x.db", "a store in memory"),
            ("sqlite:x.db", "memory:", "a store in memory"),
            ("paper:x", "sqlite:x.db", "is not known"),
            ("sqlite:x.db", "postgresql://h:port/x", "cannot be read"),
        ],
    )
    async def test_urls_that_cannot_be_moved_between(self, source: str, to: str, why: str) -> None:
        with pytest.raises(CallerError, match=why):
            await moved(source, to)

    async def test_a_source_that_is_not_there(self, target: str, tmp_path: Path, postgres_base: str) -> None:
        with pytest.raises(NotFound, match="there is no database"):
            await moved(f"sqlite:{tmp_path / 'none.db'}", target)
        with pytest.raises(NotFound, match="there is no store in postgresql:"):
            await moved(with_schema(postgres_base, "nowhere"), target)
        assert not list(tmp_path.glob("*.db"))  # noqa: ASYNC240 - nothing else runs

    async def test_a_source_with_an_old_schema(self, filled: str, postgres_url: str, tmp_path: Path) -> None:
        sql(filled, "PRAGMA user_version = 1")
        with pytest.raises(Conflict, match=r"has an old schema; first 'penstock migrate --store sqlite:.*full\.db'"):
            await moved(filled, postgres_url)
        assert columns_of(postgres_url, "runs") == []

    async def test_databases_of_other_programs_and_newer_schemas(self, filled: str, tmp_path: Path) -> None:
        other = f"sqlite:{tmp_path / 'other.db'}"
        sql(other, "CREATE TABLE theirs (a)")
        for source, to in ((filled, other), (other, filled)):
            with pytest.raises(InfrastructureError, match="another program"):
                await moved(source, to)
        sql(filled, "PRAGMA user_version = 999")
        with pytest.raises(InfrastructureError, match="schema 999"):
            await moved(filled, f"sqlite:{tmp_path / 'new.db'}")
        assert not (tmp_path / "new.db").exists()

    async def test_a_schema_of_another_program(self, filled: str, postgres_url: str) -> None:
        schema = postgres_url.rpartition("=")[2]
        await execute(without_schema(postgres_url), f"CREATE SCHEMA {schema} CREATE TABLE theirs (a integer)")
        with pytest.raises(InfrastructureError, match="another program"):
            await moved(filled, postgres_url)

    async def test_a_server_that_is_not_there(self, filled: str) -> None:
        with pytest.raises(InfrastructureError, match=r"postgresql://me@127\.0\.0\.1:1/db failed"):
            await moved(filled, "postgresql://me:secret@127.0.0.1:1/db")


class TestCutOff:
    """An engine over PostgreSQL whose sessions ended unnoticed, and whose system was moved away meanwhile."""

    async def test_it_does_not_come_back(self, filled: str, postgres_url: str, tmp_path: Path) -> None:
        await moved(filled, postgres_url)
        store = open_store(postgres_url)
        await store.open()
        await store.join(Membership(lease_ms=60_000), lambda notice: None)
        await store.renew()
        schema = postgres_url.rpartition("=")[2]
        assert sql(postgres_url, "SELECT count(*) FROM nodes") == [(1,)]
        key = parse_address(postgres_url).lock_key("owner")
        held = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND "  # noqa: S608 - a number
            f"(classid::bigint << 32) | objid::bigint = {key}"
        )
        source = PostgresEnd(postgres_url)
        async with asyncio.timeout(CHILD_S):
            while True:  # the engine makes its connection again at once; the move has to be faster once
                sql(postgres_url, held)
                try:
                    await source.open_source()
                    break
                except StoreInUse:
                    await source.close()
        assert sql(postgres_url, "SELECT count(*) FROM nodes") == [(0,)]
        await source.set_mark(Moved("elsewhere", MOVED_AT, ()))
        await source.close()
        for write in (lambda: store.put_secret("late", b"x"), store.renew):
            with pytest.raises(InfrastructureError, match="was moved to elsewhere"):
                await write()
        assert ("late",) not in sql(postgres_url, f"SELECT name FROM {schema}.secrets")  # noqa: S608 - own name
        await store.close()


class TestTables:
    async def test_every_table_is_moved_or_named_as_left_out(self, tmp_path: Path, postgres_url: str) -> None:
        """A migration that adds a table or a column to one store, or forgets the other, fails here."""
        path = tmp_path / "new.db"
        upgrade(path)
        await moved(f"sqlite:{path}", postgres_url)
        found = {}
        for end in (SqliteEnd(path), PostgresEnd(postgres_url)):
            await end.open_target()
            found[type(end)] = await end.tables()
            await end.close()
        files, server = found[SqliteEnd], found[PostgresEnd]
        carried = moved_between(files, server)
        assert {table.name for table in carried} == (files.keys() | server.keys()) - LEFT_OUT.keys()
        assert {t.name: t.numbered for t in carried if t.numbered} == {"events": "seq", "inbox": "seq"}
        assert {t.name for t in carried if "partition" in t.derived} == {"runs", "inbox", "subscriptions", "work"}
        assert [t.columns for t in carried if t.name == "journal"] == [("run_id", "seq", "at", "body")]

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"b": Table("b", {"id": "text"}, ("id",))}, r"tables \['b'\]"),
            ({"a": Table("a", {"id": "text", "n": "integer", "x": "text"}, ("id",))}, r"columns \['x'\] of a"),
            ({"a": Table("a", {"id": "text", "n": "bytes"}, ("id",))}, r"columns \['n'\] of a have other types"),
            ({"a": Table("a", {"id": "text", "n": "other"}, ("id",))}, r"columns \['n'\] of a have other types"),
            ({"a": Table("a", {"id": "text", "n": "integer"}, ("n",))}, "tables a have other keys"),
            ({"a": Table("a", {"id": "text", "n": "integer"}, ("id",), "n")}, "tables a have other keys"),
        ],
    )
    def test_stores_that_do_not_fit_are_not_moved_between(self, changed: dict[str, Table], why: str) -> None:
        usual = {"a": Table("a", {"id": "text", "n": "integer"}, ("id",))}
        with pytest.raises(InfrastructureError, match=why):
            moved_between(usual, usual | changed)

    def test_a_boolean_is_a_number_elsewhere(self) -> None:
        numbers = {"a": Table("a", {"id": "text", "n": "integer"}, ("id",))}
        booleans = {"a": Table("a", {"id": "text", "n": "boolean"}, ("id",))}
        assert moved_between(numbers, booleans)[0].columns == ("id", "n")


def sql_open(place: str) -> None:
    """Opens a store as an engine would, beside a loop that runs."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            asyncio.run(open_store(place).open())
        except InfrastructureError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
