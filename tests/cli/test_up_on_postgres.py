"""`penstock up --store postgresql://…` as users run it: it keeps its data, and shows no password."""

import asyncio
import socket
from pathlib import Path

import pytest

from penstock.cli.exits import CONFLICT, INVALID, UNREACHABLE
from penstock.store.postgres.address import parse_address
from tests.cli.documents import hello
from tests.cli.process import Shell, server
from tests.postgres_fixtures import execute, without_schema


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


@pytest.mark.parametrize(
    "taken",
    [
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.foreign_table (a int)",
        "DROP ROLE IF EXISTS nobody_{schema}; CREATE ROLE nobody_{schema} LOGIN",
    ],
    ids=["another program's", "not allowed"],
)
async def test_a_schema_that_is_refused_comes_with_the_way_out(shell: Shell, postgres_url: str, taken: str) -> None:
    schema = parse_address(postgres_url).schema
    await execute(without_schema(postgres_url), taken.format(schema=schema))
    url = postgres_url
    if "ROLE" in taken:
        assert "postgres@" in url
        url = url.replace("postgres@", f"nobody_{schema}@", 1)
    said = await asyncio.to_thread(shell, "up", "--port", "0", "--store", url)
    assert said.status == CONFLICT
    assert f"schema {schema} of" in said.err
    assert "?schema=NAME" in said.err
    if "ROLE" in taken:
        await execute(without_schema(postgres_url), f"DROP ROLE nobody_{schema}")


@pytest.mark.slow
def test_who_waits_for_the_store_is_told(shell: Shell) -> None:
    """A database that takes the connection and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = shell(
            "up", "--port", "0", "--store", f"postgresql://me:pass-word@127.0.0.1:{silent.getsockname()[1]}/db"
        )
    assert said.status == UNREACHABLE
    assert "still opening" in said.err and "waits for the database" in said.err
    assert "pass-word" not in said.err


def test_a_url_that_cannot_be_read_is_told_without_the_password(shell: Shell) -> None:
    said = shell("up", "--store", "postgresql://me:pass-word@h:port/db")
    assert said.status == INVALID
    assert "pass-word" not in said.err + said.out
