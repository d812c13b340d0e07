"""`penstock up`: one command to a server that works (M131), and clear refusals."""

import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.documents import hello
from tests.cli.process import COMMAND, DEADLINE_S, Shell, environment, server

READY_S = 1.5


class TestStart:
    @pytest.mark.mission("M131")
    def test_a_few_short_lines_and_what_is_next_can_be_pasted(self, tmp_path: Path) -> None:
        with server(tmp_path) as (url, lines):
            assert lines[0].startswith("Penstock ")
            assert url in lines[0]
            assert lines[1] == f"docs   {url}/docs"
            assert lines[2] == "store  sqlite:.penstock/penstock.db, kept"
            assert lines[3] == "next   paste this into another shell:"
            assert max(map(len, lines)) <= 100, "each fits a terminal"
            pasted = "\n".join(lines[4:]).replace("penstock ", f"{' '.join(COMMAND)} ")
            done = subprocess.run(
                ("/bin/sh", "-c", pasted),
                env=environment(),
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert '"said": "hello"' in done.stdout

    @pytest.mark.mission("M131")
    def test_it_is_ready_soon(self, tmp_path: Path) -> None:
        def once(number: int) -> float:
            directory = tmp_path / str(number)
            directory.mkdir()
            begin = time.perf_counter()
            with server(directory) as (url, _):
                with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310
                    assert answer.status == 200
                return time.perf_counter() - begin

        assert min(once(number) for number in range(3)) < READY_S

    def test_it_keeps_its_data(self, tmp_path: Path) -> None:
        with server(tmp_path) as (url, _):
            shell = Shell(tmp_path, url)
            assert shell("deploy", shell.write("hello.yaml", hello())).status == 0
        with server(tmp_path) as (url, _):
            assert "tests/hello" in Shell(tmp_path, url)("ls", "workflows").out
            heads, node = Shell(tmp_path, url)("nodes").out.splitlines()
            assert heads.split()[:3] == ["NAME", "ROLE", "PARTITIONS"]
            assert node.split()[1:3] == ["engine", "64"]

    def test_sigint_ends_it_with_0_too(self, shell: Shell) -> None:
        process = shell.begin("up", "--port", "0", "--store", "memory:", "--log-format", "json")
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Penstock ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert all(isinstance(json.loads(line), dict) for line in err.splitlines())

    def test_settings_come_from_the_environment_too(self, tmp_path: Path) -> None:
        process = subprocess.Popen(
            (*COMMAND, "up"),
            cwd=tmp_path,
            env=environment(PENSTOCK_PORT="0", PENSTOCK_STORE="memory:"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        process.stdout.close()
        assert lines[2].startswith("store  in memory")
        assert list(tmp_path.iterdir()) == []


class TestAccess:
    def test_with_a_token_only_those_who_have_it_get_in(self, tmp_path: Path) -> None:
        with server(tmp_path, ("--token", "letmein", "--store", "memory:")) as (url, lines):
            shell = Shell(tmp_path, url)
            refused = shell("ls")
            assert refused.status == 2
            assert "--token" in refused.err
            assert shell("ls", "--token", "letmein").status == 0
            assert shell("ls", PENSTOCK_TOKEN="letmein").status == 0
            assert lines[3] == "next   paste this into another shell where PENSTOCK_TOKEN is set:"
            assert not any("letmein" in line for line in lines)


class TestRefusals:
    def test_a_port_in_use(self, shell: Shell) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            said = shell("up", "--port", str(taken.getsockname()[1]))
        assert said.status == 4
        assert "another process listens there" in said.err
        assert "--port 0" in said.err
        assert said.out == ""

    def test_a_store_in_use(self, tmp_path: Path) -> None:
        with server(tmp_path):
            said = Shell(tmp_path)("up", "--port", "0")
        assert said.status == 4
        assert "is in use by process" in said.err
        assert "--store" in said.err

    def test_an_open_address_without_a_token(self, shell: Shell) -> None:
        said = shell("up", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it must be refused
        assert said.status == 2
        assert "PENSTOCK_TOKEN" in said.err

    def test_roles_apart(self, shell: Shell) -> None:
        said = shell("up", "--roles", "api")
        assert said.status == 2
        assert "postgresql" in said.err

    def test_a_store_of_an_unknown_kind(self, shell: Shell) -> None:
        said = shell("up", "--port", "0", "--store", "paper:notes")
        assert said.status in {2, 5}
        assert "paper" in said.err
        assert "Traceback" not in said.err

    def test_secrets_that_cannot_be_read(self, shell: Shell) -> None:
        said = shell("up", "--port", "0", "--secrets", "absent.json")
        assert said.status == 2
        assert re.search(r"secrets: cannot read absent\.json", said.err)
