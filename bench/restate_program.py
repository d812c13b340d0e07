"""Where Restate's server is on this machine, if it is: it is no part of a Python environment."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "PENSTOCK_BENCH_RESTATE"
PACKAGE: Final = "node_modules/@restatedev/restate-server-*/bin/restate-server"
PLACES: Final = (Path(__file__).resolve().parent, Path.home() / ".cache" / "penstock-bench")
"""Where `npm install --prefix PLACE @restatedev/restate-server` may have put it."""


@dataclass(frozen=True)
class RestateProgram:
    path: Path
    version: str


def restate_program() -> RestateProgram | None:
    """The server that the environment names, else one that was installed for this bench, else one on the path."""
    for path in _candidates():
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        return RestateProgram(path, said.split()[-1])
    return None


def why_not() -> str:
    """Why Restate is not measured; empty when it can be."""
    if restate_program() is not None:
        return ""
    if given := os.environ.get(VARIABLE):
        return f"not there, because {VARIABLE}={given} is no program that tells its version"
    return f"not there, because its server is not installed (bench/README.md); {VARIABLE} can name it"


def _candidates() -> Iterator[Path]:
    if given := os.environ.get(VARIABLE):
        yield Path(given)
        return
    for place in PLACES:
        yield from sorted(place.glob(PACKAGE))
    if found := shutil.which("restate-server"):
        yield Path(found)
