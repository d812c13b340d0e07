"""`penstock run`: a document straight from the shell (M124; FM26 but for its durability)."""

import re
import signal
import stat
import subprocess
import sys

import pytest

from tests.cli.documents import faulty, head, hello, sleeping
from tests.cli.process import DEADLINE_S, SOURCES, Shell, environment

SECRET = "s3cr3t-value"


class TestEnds:
    @pytest.mark.mission("M124")
    def test_a_run_that_completes_prints_its_output(self, shell: Shell) -> None:
        said = shell("run", shell.write("hello.yaml", hello()), "--input", '{"name": "Ada"}')
        assert said.status == 0, said.err
        assert said.json == {"said": "hello Ada"}
        assert said.err == ""

    @pytest.mark.mission("M124")
    def test_as_json_it_prints_status_output_and_error(self, shell: Shell) -> None:
        said = shell("run", shell.write("hello.yaml", hello()), "-i", '{"name": "Ada"}', "-o", "json")
        assert said.json == {"status": "completed", "output": {"said": "hello Ada"}, "error": None}

    @pytest.mark.mission("M125")
    def test_a_run_that_faults_says_where_in_the_file(self, shell: Shell) -> None:
        said = shell("run", shell.write("faulty.yaml", faulty()), "-o", "json")
        assert said.status == 1
        assert said.json["status"] == "faulted"
        assert said.json["error"]["title"] == "Boom"
        assert said.json["error"]["instance"] == "/do/1/stop"
        assert said.err.splitlines() == [
            "faulty.yaml:4:5: error: the run faulted here",
            "error: the run faulted: Boom: on purpose (at /do/1/stop)",
        ]

    @pytest.mark.mission("M125")
    def test_an_invalid_document_is_not_run(self, shell: Shell) -> None:
        text = head("typo") + "do:\n  - greet:\n      sett: {said: hello}\n"
        said = shell("run", shell.write("typo.yaml", text))
        assert said.status == 2
        assert said.out == ""
        assert said.err.startswith("typo.yaml:")
        assert "did you mean 'set'" in said.err

    def test_a_run_that_takes_too_long_is_cancelled(self, shell: Shell) -> None:
        said = shell("run", shell.write("sleeping.yaml", sleeping()), "--timeout", "0.2", "-o", "json")
        assert said.status == 6
        assert said.json["status"] == "cancelled"

    @pytest.mark.mission("M134")
    def test_ctrl_c_cancels_the_run(self, shell: Shell) -> None:
        process = shell.begin("run", shell.write("sleeping.yaml", sleeping()), "--watch", "-o", "json")
        assert process.stderr is not None
        assert "doze" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1
        assert '"cancelled"' in out

    def test_it_leaves_nothing_behind(self, shell: Shell) -> None:
        name = shell.write("hello.yaml", hello())
        assert shell("run", name, "-i", '{"name": "Ada"}').status == 0
        assert [path.name for path in shell.directory.iterdir()] == [name]


class TestForms:
    @pytest.mark.mission("M124")
    def test_a_file_can_be_a_script(self, shell: Shell) -> None:
        """FM26: a file with a flow, run from a shell by its own first line."""
        name = shell.write("greet", f"#!/usr/bin/env -S {sys.executable} -m penstock run\n{hello()}")
        path = shell.directory / name
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        done = subprocess.run(
            (str(path), "-i", '{"name": "Ada"}'),
            env=environment(PYTHONPATH=str(SOURCES)),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"hello Ada"' in done.stdout

    def test_from_stdin_with_input_from_a_file(self, shell: Shell) -> None:
        shell.write("input.json", '{"name": "Grace"}')
        said = shell("run", "-", "--input", "@input.json", stdin=hello())
        assert said.json == {"said": "hello Grace"}

    def test_input_that_is_no_json_has_its_place(self, shell: Shell) -> None:
        shell.write("input.json", '{\n  "name": Ada\n}')
        said = shell("run", shell.write("hello.yaml", hello()), "--input", "@input.json")
        assert said.status == 2
        assert "input.json:2:11: error: " in said.err

    def test_secrets_come_from_a_file(self, shell: Shell) -> None:
        text = (
            head("secret") + "use: {secrets: [key]}\ndo:\n  - one:\n      set: {length: '${ $secrets.key | length }'}\n"
        )
        shell.write("secrets.json", f'{{"key": "{SECRET}"}}')
        said = shell("run", shell.write("secret.yaml", text), "--secrets", "secrets.json")
        assert said.status == 0, said.err
        assert said.json == {"length": len(SECRET)}
        assert SECRET not in said.err

    def test_watching_tells_each_task_on_stderr(self, shell: Shell) -> None:
        text = (
            head("loop")
            + "do:\n  - each:\n      for: {each: n, in: '${ [1, 2] }'}\n"
            + "      do:\n        - one: {set: {n: '${ $n }'}}\n"
        )
        said = shell("run", shell.write("loop.yaml", text), "--watch")
        assert said.json == {"n": 2}
        told = [line.split()[1:3] for line in said.err.splitlines()]
        assert ["completed", "one[0]"] in told
        assert ["completed", "one[1]"] in told
        assert told[-1] == ["completed", "each"]
        assert "\x1b" not in said.err

    def test_a_capability_that_nobody_provides_is_told_before(self, shell: Shell) -> None:
        text = head("nobody") + "do:\n  - ask: {call: checknumber, with: {n: 1}}\n"
        said = shell("run", shell.write("nobody.yaml", text), "--timeout", "0.1")
        assert said.status == 6
        assert re.search(r"nobody\.yaml:3:\d+: warning: nobody provides the capability 'checknumber'", said.err)
