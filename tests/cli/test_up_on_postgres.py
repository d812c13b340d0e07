"""`penstock up --store postgresql://…` as users run it: it keeps its data, and shows no password."""

from pathlib import Path

import pytest

from penstock.cli.exits import INVALID, UNREACHABLE
from tests.cli.documents import hello
from tests.cli.process import Shell, server


@pytest.mark.mission("M129")
def test_a_server_over_postgres_keeps_what_it_was_given(tmp_path: Path, postgres_url: str) -> None:
    given = postgres_url.replace("postgres@", "postgres:pass-word@", 1)
    with server(tmp_path, ["--store", given]) as (url, lines):
        assert lines[2].startswith("store  postgresql://")
        assert "pass-word" not in "".join(lines)
        shell = Shell(tmp_path, url)
        assert shell("deploy", shell.write("hello.yaml", hello())).status == 0
        assert shell("start", "tests/hello", "--wait", "10").status == 0
    with server(tmp_path, ["--store", given]) as (url, _):
        assert "tests/hello" in Shell(tmp_path, url)("ls", "workflows").out
        assert "completed" in Shell(tmp_path, url)("ls", "runs").out


def test_a_database_that_is_not_there_is_told_without_the_password(shell: Shell) -> None:
    said = shell("up", "--store", "postgresql://me:pass-word@127.0.0.1:1/db")
    assert said.status == UNREACHABLE
    assert "postgresql://me@127.0.0.1:1/db" in said.err
    assert "pass-word" not in said.err


def test_a_url_that_cannot_be_read_is_told_without_the_password(shell: Shell) -> None:
    said = shell("up", "--store", "postgresql://me:pass-word@h:port/db")
    assert said.status == INVALID
    assert "pass-word" not in said.err + said.out
