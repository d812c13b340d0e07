"""Keeping a system: prune, backup and restore, migrate, settings from a file."""

import json
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.cli.documents import hello, listening
from tests.cli.process import COMMAND, DEADLINE_S, Shell, environment, server


class TestPrune:
    def test_counts_first_then_deletes(self, penstock: Shell) -> None:
        assert penstock("deploy", penstock.write("h.yaml", hello("pruned"))).status == 0
        for _ in range(3):
            assert penstock("start", "tests/pruned", "--input", "{}", "--wait", "20").status == 0
        arguments = ("prune", "--keep", "1", "--workflow", "tests/pruned")
        counted = penstock(*arguments, "--dry-run")
        assert (counted.status, counted.out.split()[2:]) == (0, ["tests/pruned", "2"])
        assert counted.err == "would delete 2 runs\n"
        done = penstock(*arguments, "--older-than", "PT0S", "-o", "json").json
        assert (done["runs"], done["more"]) == (2, False)
        again = penstock(*arguments)
        assert (again.status, again.out, again.err) == (0, "", "deleted 0 runs\n")
        assert len(penstock("ls", "--workflow", "tests/pruned", "-o", "json").json) == 1

    def test_wrong_bounds_are_wrong_usage(self, penstock: Shell) -> None:
        said = penstock("prune", "--older-than", "yesterday")
        assert said.status == 2
        assert "not a duration" in said.err
        assert penstock("prune", "--keep", "-1").status == 2


class TestBackup:
    def test_an_engine_on_the_backup_finishes_the_live_runs(self, tmp_path: Path) -> None:
        """The original is killed and lost; the backup was made while it worked."""
        lost, kept = tmp_path / "lost", tmp_path / "kept"
        lost.mkdir()
        kept.mkdir()
        process = subprocess.Popen(
            (*COMMAND, "up", "--port", "0"), cwd=lost, env=environment(), stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2]
            shell = Shell(lost, url)
            shell("deploy", shell.write("l.yaml", listening("waits", "tests.go")))
            runs = [shell("start", "tests/waits").out.strip() for _ in range(3)]
            done = shell("backup", str(kept / "copy.db"))
            assert done.status == 0, done.err
            assert "3 of the runs live" in done.err
            after = shell("start", "tests/waits").out.strip()
        finally:
            process.kill()
            process.communicate(timeout=DEADLINE_S)
        assert stat.S_IMODE((kept / "copy.db").stat().st_mode) == 0o600
        with server(kept, ("--store", "sqlite:copy.db")) as (url, _):
            shell = Shell(kept, url)
            assert shell("send", "tests.go", "--data", '{"go": 1}').status == 0
            for run in runs:
                assert shell("logs", run, "--follow").status == 0
                assert shell("show", run, "-o", "json").json["status"] == "completed"
            assert shell("show", after).status == 3

    def test_it_overwrites_nothing_and_needs_a_database(self, shell: Shell) -> None:
        assert shell("backup", "copy.db").status == 3
        assert shell("migrate").status == 0
        report = shell("backup", "copy.db", "-o", "json").json
        assert (report["rows"]["runs"], report["size_bytes"]) == (0, (shell.directory / "copy.db").stat().st_size)
        again = shell("backup", "copy.db")
        assert again.status == 4
        assert "overwrites nothing" in again.err

    @pytest.mark.parametrize(
        ("store", "said"),
        [
            ("memory:", "nothing to copy"),
            ("postgresql://me:hidden@localhost/db", "pg_dump"),
            ("paper:notes", "is not known"),
        ],
    )
    def test_other_stores_are_refused(self, shell: Shell, store: str, said: str) -> None:
        refused = shell("backup", "copy.db", "--store", store)
        assert refused.status == 2
        assert said in refused.err
        assert "hidden" not in refused.err
        assert list(shell.directory.iterdir()) == []


class TestMigrate:
    @pytest.mark.mission("M132")
    def test_an_empty_place_becomes_ready_with_one_command(self, tmp_path: Path) -> None:
        shell = Shell(tmp_path)
        planned = shell("migrate", "--dry-run", "--store", "sqlite:deep/p.db")
        assert (planned.status, planned.out.split()[0]) == (0, "0")
        assert list(tmp_path.iterdir()) == []
        done = shell("migrate", "--store", "sqlite:deep/p.db", "-o", "json").json
        assert done == {"store": "sqlite:deep/p.db", "before": 0, "after": done["after"], "dry_run": False}
        assert shell("migrate", "--store", "sqlite:deep/p.db").out == f"{done['after']} -> {done['after']}\n"
        with server(tmp_path, ("--store", "sqlite:deep/p.db")) as (url, _):
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310
                assert json.load(answer) == {"status": "ready"}
            refused = shell("migrate", "--store", "sqlite:deep/p.db")
            assert refused.status == 4
            assert "is in use" in refused.err
            assert shell("migrate", "--store", "sqlite:deep/p.db", "--dry-run").status == 0

    def test_other_stores_are_refused(self, shell: Shell) -> None:
        assert shell("migrate", "--store", "memory:").status == 2
        assert "is not known" in shell("migrate", "--store", "paper:notes").err


class TestSettingsFile:
    @pytest.mark.mission("M132")
    def test_one_command_with_a_file_is_a_server_that_is_ready(self, tmp_path: Path) -> None:
        config = tmp_path / "penstock.toml"
        config.write_text('store = "sqlite:data/of/mine.db"\nlog_level = "error"\n', "utf8")
        with server(tmp_path, ("--config", "penstock.toml")) as (url, lines):
            assert lines[2] == "store  sqlite:data/of/mine.db, kept"
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310
                assert answer.status == 200
            assert Shell(tmp_path, url)("backup", "copy.db", PENSTOCK_CONFIG="penstock.toml").status == 0

    def test_an_unknown_name_is_wrong_usage(self, shell: Shell) -> None:
        said = shell("up", "--config", shell.write("p.toml", "prot = 1\n"))
        assert said.status == 2
        assert "did you mean 'port'" in said.err
