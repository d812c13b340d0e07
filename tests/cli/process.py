"""The command line as users run it: real processes, a clean environment, an own directory."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import penstock
from penstock.model.json_value import Json

SOURCES = Path(penstock.__path__[0]).resolve().parent
COMMAND = (sys.executable, "-m", "penstock")
DEADLINE_S = 60.0
LAST_LINE = "  penstock start "
"""How the last line begins that `penstock up` prints."""
_KEPT = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV")


class Said(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """No setting of this shell, and the package under test importable."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(SOURCES), "PYTHONUTF8": "1", **more}


class Shell:
    """Runs commands in one directory, against one server."""

    def __init__(self, directory: Path, url: str = "http://127.0.0.1:9") -> None:
        self.directory = directory
        self.url = url

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Said:
        """Runs `penstock ARGUMENTS` to its end."""
        done = subprocess.run(
            (*COMMAND, *arguments),
            cwd=self.directory,
            env=environment(PENSTOCK_URL=self.url, **variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begins `penstock ARGUMENTS`; whoever begins it ends it."""
        return subprocess.Popen(
            (*COMMAND, *arguments),
            cwd=self.directory,
            env=environment(PENSTOCK_URL=self.url, PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, name: str, text: str) -> str:
        """A file of the directory; returns its name."""
        (self.directory / name).write_text(text, "utf8")
        return name


@contextmanager
def server(directory: Path, arguments: Sequence[str] = ()) -> Generator[tuple[str, list[str]]]:
    """A `penstock up` in a directory: its address and the lines that it printed. Ends by SIGTERM, with 0."""
    process = subprocess.Popen(
        (*COMMAND, "up", "--port", "0", *arguments),
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip("\n")]
    while lines[-1] and not lines[-1].startswith(LAST_LINE):
        lines.append(process.stdout.readline().rstrip("\n"))
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", lines[0])
        if found is None:
            process.kill()
            raise AssertionError(f"no address in {lines}: {process.communicate()[1]}")
        yield found.group(), lines
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert out == "", "the server prints nothing more on stdout"
