"""Two `penstock up` over one database: work goes on whichever of them is asked, and when one of them ends."""

import time
from pathlib import Path

import pytest

from tests.cli.documents import hello
from tests.cli.process import DEADLINE_S, Shell, server

pytestmark = [pytest.mark.mission("M131"), pytest.mark.slow]

SLEEPS = "document: {dsl: '1.0.3', namespace: tests, name: sleeps, version: '0.1.0'}\ndo: [{w: {wait: {seconds: 3}}}]\n"
LEASE = ("--lease", "2")


def held(shell: Shell, *, most_s: float = DEADLINE_S, wanted: list[int]) -> list[int]:
    """How many partitions the nodes hold, once that is as wanted."""
    until = time.monotonic() + most_s
    while True:
        found = [len(node["partitions"]) for node in shell("nodes", "-o", "json").json]
        if found == wanted or time.monotonic() > until:
            return found


def test_two_servers_share_a_database(tmp_path: Path, postgres_url: str) -> None:
    options = ["--store", postgres_url, *LEASE]
    with server(tmp_path, [*options, "--node-name", "one"]) as (first_url, _):
        first = Shell(tmp_path, first_url)
        assert first("deploy", first.write("hello.yaml", hello())).status == 0
        assert first("deploy", first.write("sleeps.yaml", SLEEPS)).status == 0
        with server(tmp_path, [*options, "--node-name", "two"]) as (second_url, _):
            second = Shell(tmp_path, second_url)
            assert held(first, wanted=[32, 32]) == [32, 32]
            table = second("nodes").out.splitlines()
            assert [line.split()[:3] for line in table[1:]] == [["one", "engine", "32"], ["two", "engine", "32"]]
            assert second("start", "tests/hello", "--wait", "10").status == 0
            run = second("start", "tests/sleeps").out.split()[0]
        assert held(first, wanted=[64]) == [64]
        assert ended(first, run) == "completed"


def ended(shell: Shell, run: str) -> str:
    until = time.monotonic() + DEADLINE_S
    while (status := shell("show", run, "-o", "json").json["status"]) == "waiting" and time.monotonic() < until:
        time.sleep(0.1)
    return status


def test_roles_apart(tmp_path: Path, postgres_url: str) -> None:
    options = ["--store", postgres_url, *LEASE]
    with (
        server(tmp_path, [*options, "--roles", "engine"]) as (engine_url, _),
        server(tmp_path, [*options, "--roles", "api"]) as (api_url, _),
    ):
        front = Shell(tmp_path, api_url)
        assert front("deploy", front.write("hello.yaml", hello())).status == 0
        assert front("start", "tests/hello", "--wait", "20").status == 0
        assert [node["engine"] for node in front("nodes", "-o", "json").json] == [True, False]
        back = Shell(tmp_path, engine_url)
        said = back("ls")
        assert said.status != 0 and "role engine only" in said.err
        assert back("version").status == 0
