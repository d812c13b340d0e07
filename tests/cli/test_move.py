"""`penstock move` and `penstock migrate` over PostgreSQL, as users run them."""

import asyncio
import signal
from pathlib import Path

import pytest

from penstock.cli.exits import CONFLICT, DONE, INVALID, NOT_FOUND, UNREACHABLE
from tests.cli.documents import hello, listening, sleeping
from tests.cli.process import DEADLINE_S, Shell, server
from tests.postgres_fixtures import execute, without_schema
from tests.store.move_samples import RUNS, fill

FILE = "sqlite:full.db"


@pytest.fixture
async def filled(tmp_path: Path) -> Shell:
    """Commands in a directory with a store that has rows in every table."""
    await fill(tmp_path / "full.db")
    return Shell(tmp_path)


def with_password(url: str) -> str:
    return url.replace("postgres@", "postgres:pass-word@", 1)


class TestMove:
    def test_a_system_goes_on_in_postgres(self, tmp_path: Path, postgres_url: str) -> None:
        """The README's way: up, stop, move, up; with the key in the same directory."""
        with server(tmp_path) as (url, _):
            shell = Shell(tmp_path, url)
            for text in (hello(), sleeping(), listening("waits", "tests.go")):
                assert shell("deploy", shell.write("w.yaml", text)).status == DONE
            done = shell("start", "tests/hello", "--input", '{"name": "you"}', "--wait", "20").out
            waits, sleeps = (shell("start", f"tests/{name}").out.strip() for name in ("waits", "sleeping"))
            refused = shell("move", "--from", "sqlite:.penstock/penstock.db", "--to", postgres_url)
            assert refused.status == CONFLICT
            assert "is in use" in refused.err
        shell = Shell(tmp_path)
        said = shell("move", "--from", "sqlite:.penstock/penstock.db", "--to", with_password(postgres_url))
        assert said.status == DONE, said.err
        assert "read back and found the same" in said.err
        assert "pass-word" not in said.out + said.err
        resting = shell("up", "--port", "0")
        assert resting.status == UNREACHABLE
        assert "was moved to postgresql://" in resting.err
        assert "pass-word" not in resting.err
        with server(tmp_path, ("--store", postgres_url)) as (url, _):
            shell = Shell(tmp_path, url)
            assert "you" in done
            assert shell("show", sleeps, "-o", "json").json["status"] == "waiting"
            assert shell("send", "tests.go", "--data", '{"go": 1}').status == DONE
            assert shell("logs", waits, "--follow").status == DONE
            assert shell("show", waits, "-o", "json").json["status"] == "completed"

    def test_what_it_says(self, filled: Shell) -> None:
        planned = filled("move", "--from", FILE, "--to", "sqlite:new.db", "--dry-run", "-o", "json")
        assert planned.status == DONE
        assert planned.json["dry_run"]
        assert not (filled.directory / "new.db").exists()
        done = filled("move", "--from", FILE, "--to", "sqlite:new.db")
        assert done.status == DONE
        lines = [line.split() for line in done.out.splitlines()]
        assert lines[0] == ["TABLE", "ROWS", "DIGEST"]
        assert ["runs", str(RUNS)] in [line[:2] for line in lines]
        assert [{"name": n, "rows": int(r), "digest": d} for n, r, d in lines[1:]] == planned.json["tables"]
        assert f"copied     runs  {RUNS}\n" in done.err
        assert f"read back  runs  {RUNS}\n" in done.err
        assert "the key that opens 1 secrets has to be carried along" in done.err
        again = filled("move", "--from", FILE, "--to", "sqlite:new.db", "-o", "json")
        assert again.status == DONE
        assert again.json["repeated"]
        assert again.json["tables"] == planned.json["tables"]

    def test_refusals_and_their_statuses(self, filled: Shell, postgres_url: str) -> None:
        assert filled("move", "--from", FILE).status == INVALID
        for source, target, status, said in (
            (FILE, "memory:", INVALID, "a store in memory"),
            (FILE, FILE, INVALID, "the same store"),
            ("sqlite:none.db", postgres_url, NOT_FOUND, "there is no database"),
            (postgres_url, "sqlite:new.db", NOT_FOUND, "there is no store in postgresql://"),
            (FILE, "postgresql://me:pass-word@127.0.0.1:1/db", UNREACHABLE, "postgresql://me@127.0.0.1:1/db"),
        ):
            refused = filled("move", "--from", source, "--to", target)
            assert (refused.status, said in refused.err) == (status, True), refused.err
            assert refused.out == ""
            assert "pass-word" not in refused.err
        assert not (filled.directory / "new.db").exists()

    def test_killed_at_a_line_that_it_said_it_goes_on(self, filled: Shell, postgres_url: str) -> None:
        arguments = ("move", "--from", FILE, "--to", postgres_url)
        for line in ("copied     events", "copied     tools", "read back  journal"):
            process = filled.begin(*arguments)
            assert process.stderr is not None
            while (said := process.stderr.readline()) and not said.startswith(line):
                pass
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=DEADLINE_S)
            assert process.returncode in {DONE, -signal.SIGKILL}
        done = filled(*arguments, "-o", "json")
        assert done.status == DONE, done.err
        assert {table["name"]: table["rows"] for table in done.json["tables"]}["runs"] == RUNS

    def test_up_refuses_a_target_that_is_not_finished(self, filled: Shell, postgres_url: str) -> None:
        process = filled.begin("move", "--from", FILE, "--to", postgres_url)
        assert process.stderr is not None
        assert process.stderr.readline()
        process.send_signal(signal.SIGSTOP)
        try:
            busy = filled("up", "--port", "0", "--store", postgres_url)
            assert busy.status == CONFLICT
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=DEADLINE_S)
        refused = filled("up", "--port", "0", "--store", postgres_url)
        assert refused.status == UNREACHABLE
        assert "is the unfinished target of a move from sqlite:" in refused.err
        assert filled("migrate", "--store", FILE).status == DONE, "the source can still be opened"


class TestMigrate:
    @pytest.mark.mission("M132")
    def test_an_empty_database_becomes_ready_with_one_command(self, shell: Shell, postgres_url: str) -> None:
        given = with_password(postgres_url)
        planned = shell("migrate", "--store", given, "--dry-run", "-o", "json").json
        assert planned["before"] == 0
        assert planned["dry_run"]
        assert shell("migrate", "--store", given, "--dry-run", "-o", "json").json == planned, "nothing was written"
        done = shell("migrate", "--store", given)
        assert (done.status, done.out) == (DONE, f"0 -> {planned['after']}\n")
        assert done.err.startswith("made postgresql://postgres@")
        assert "pass-word" not in done.err
        again = shell("migrate", "--store", given)
        assert again.out == f"{planned['after']} -> {planned['after']}\n"

    def test_refusals_and_their_statuses(self, shell: Shell, postgres_url: str) -> None:
        with server(shell.directory, ("--store", postgres_url)):
            refused = shell("migrate", "--store", postgres_url)
            assert refused.status == CONFLICT
            assert "is in use" in refused.err
            assert shell("migrate", "--store", postgres_url, "--dry-run").status == DONE
        schema = postgres_url.rpartition("=")[2]
        sql(postgres_url, f"INSERT INTO {schema}.penstock_migrations (number) VALUES (999)")  # noqa: S608 - own name
        for more in ((), ("--dry-run",)):
            newer = shell("migrate", "--store", postgres_url, *more)
            assert newer.status == UNREACHABLE
            assert "schema 999" in newer.err
        sql(postgres_url, f"DROP TABLE {schema}.penstock_migrations")
        for more in ((), ("--dry-run",)):
            assert "another program" in shell("migrate", "--store", postgres_url, *more).err
        assert shell("migrate", "--store", "postgresql://me@127.0.0.1:1/db").status == UNREACHABLE


def sql(url: str, statement: str) -> None:
    asyncio.run(execute(without_schema(url), statement))
