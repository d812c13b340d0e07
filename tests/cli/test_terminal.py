"""What only a terminal gets: a tree that is drawn anew, colors, a prompt that hides what is typed."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.documents import head
from tests.cli.process import COMMAND, DEADLINE_S, Shell, environment

TERMINAL_S = 20.0
ERASED_LINE = "\x1b[2K"
"""What stands before each drawing of the tree but the first."""
TREE = head("tree") + (
    "do:\n"
    "  - both:\n"
    "      fork:\n"
    "        branches:\n"
    "          - left: {set: {a: 1}}\n"
    "          - right: {wait: {milliseconds: 300}}\n"
)


def on_terminal(directory: Path, *arguments: str, typed: Sequence[str] = (), **variables: str) -> tuple[int, str, str]:
    """Runs a command whose stdin and stderr are a terminal: its status, stdout, and what the terminal showed.

    Each of the lines in `typed` is typed when the command prompts.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        (*COMMAND, *arguments),
        cwd=directory,
        env=environment(TERM="xterm-256color", COLUMNS="100", LINES="30", **variables),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = _read_all(ours, list(typed))
        out, _ = process.communicate(timeout=TERMINAL_S)
        return process.returncode, out, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_all(terminal: int, typed: list[str]) -> str:
    """Everything that the terminal shows until the other side is closed, or the time is up."""
    shown = ""
    until = time.monotonic() + TERMINAL_S
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(terminal, 65536).decode()
        except OSError:  # how Linux tells that the other side was closed
            break
        if typed and shown.endswith(": "):
            os.write(terminal, f"{typed.pop(0)}\n".encode())
    return shown


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


class TestWatching:
    @pytest.mark.mission("M134")
    def test_a_terminal_gets_a_tree_that_stays(self, shell: Shell) -> None:
        status, out, shown = on_terminal(shell.directory, "run", shell.write("tree.yaml", TREE), "--watch")
        assert status == 0, shown
        assert '"a": 1' in out
        assert "\x1b[" in shown
        last = plain(shown.rsplit(ERASED_LINE, 1)[-1]).rstrip().splitlines()
        assert [line.split()[:2] for line in last] == [["✓", "both"], ["✓", "left"], ["✓", "right"]]
        assert [len(line) - len(line.lstrip()) for line in last] == [0, 2, 2]

    def test_no_color_means_lines(self, shell: Shell) -> None:
        name = shell.write("tree.yaml", TREE)
        status, _, shown = on_terminal(shell.directory, "run", name, "--watch", NO_COLOR="1")
        assert status == 0
        assert "\x1b" not in shown
        assert re.search(r"completed +right", shown)


class TestPrompt:
    def test_a_secret_is_asked_for_twice_and_not_shown(self, penstock: Shell) -> None:
        status, _, shown = on_terminal(
            penstock.directory, "secrets", "set", "typed", typed=("hush", "hush"), PENSTOCK_URL=penstock.url
        )
        assert status == 0, shown
        assert "stored typed" in shown
        assert "hush" not in shown
        assert "typed" in penstock("secrets", "ls").out


class TestPipes:
    def test_a_reader_that_leaves_is_no_error(self, shell: Shell) -> None:
        text = "do:\n" + "".join(f"  - t{number}: {{set: {{x: 1}}}}\n" for number in range(3000))
        name = shell.write("long.yaml", head("long") + text)
        done = subprocess.run(
            ("/bin/sh", "-c", f"{' '.join(COMMAND)} check {name} --show dsl | head -n 1"),
            cwd=shell.directory,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.stdout == "document:\n"
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr
