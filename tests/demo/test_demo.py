"""The demo as a newcomer starts it: it ends by itself, in time, with status 0, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
COMMAND: Final = (sys.executable, "-m", "examples.demo")
LIMIT_S: Final = 60


def environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary), "NO_COLOR": "1", "COLUMNS": "160"}


@pytest.mark.slow
@pytest.mark.mission("M131")
def test_everything_that_the_demo_claims_is_true(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        COMMAND, cwd=REPOSITORY, env=environment(tmp_path), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < LIMIT_S
    assert done.stdout.count("✔") == 8
    assert "200 events acknowledged, 200 runs completed" in done.stdout
    assert "50 receipts right" in done.stdout
    assert list(tmp_path.iterdir()) == [], "temporary files are left"


@pytest.mark.slow
def test_an_interrupted_demo_stops_everything_that_it_started(tmp_path: Path) -> None:
    process = subprocess.Popen(
        COMMAND, cwd=REPOSITORY, env=environment(tmp_path), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "kill -9" in line and "acknowledged" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 130, rest
    assert list(tmp_path.iterdir()) == [], "temporary files are left"
    assert not processes_under(tmp_path)


def processes_under(directory: Path) -> list[str]:
    """Command lines of processes whose data lies in the directory (Linux only; elsewhere nothing is found)."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [line.decode(errors="replace") for line in lines if str(directory).encode() in line]
