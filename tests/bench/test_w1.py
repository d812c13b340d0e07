"""The measurement runs, and says what it found; how fast this machine is, is not asked here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance_data import REPOSITORY


@pytest.mark.parametrize("more", [(), ("--memory", "--threads", "--no-floor")])
def test_w1_prints_its_figures(tmp_path: Path, more: tuple[str, ...]) -> None:
    sizes = ("--count", "30", "--concurrent", "10", "--alone", "3", "--directory", str(tmp_path))
    said = subprocess.run(
        [sys.executable, "-m", "bench.w1", *sizes, *more], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    line = r"^(\w+) +\d+ workflows/s +\d+ steps/s +[\d.]+ CPU ms/workflow +p50 .* alone$"
    names = re.findall(line, said, re.MULTILINE)
    assert names == (["engine"] if more else ["engine", "floor"])
    assert ("of the floor" in said) == (not more)
    assert list(tmp_path.iterdir()) == []
