"""Measuring processes: started in their own environment, read line by line, killed and ended by their id."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from bench.works import Sizes

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / "bench" / ".venv" / "bin" / "python"
LONGEST_SECONDS: Final = 150.0
"""A measurement that takes longer has failed."""


class Failed(Exception):
    """A measurement that gave no figures; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where one measurement runs."""

    name: str
    work: str
    directory: Path
    database: str
    service: int
    sizes: Sizes

    def command(self, *more: str) -> list[str]:
        python = str(PEERS) if self.name.startswith(("dbos", "procrastinate")) else sys.executable
        sizes = [f"--{field.name.replace('_', '-')}={getattr(self.sizes, field.name)}" for field in fields(Sizes)]
        where = [f"--directory={self.directory}", f"--database={self.database}", f"--service={self.service}"]
        return [python, "-m", "bench.subject", self.name, self.work, *where, *sizes, *more]


class Process:
    """One process whose standard output is lines; its errors go to a file that explains a failure."""

    def __init__(self, running: asyncio.subprocess.Process, errors: Path) -> None:
        self._running = running
        self._errors = errors

    async def line(self) -> str:
        assert self._running.stdout is not None
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                line = await self._running.stdout.readline()
        except TimeoutError:
            raise Failed(f"no figures within {LONGEST_SECONDS:.0f} s") from None
        if not line:
            raise Failed(self._why())
        return line.decode()

    async def says(self) -> dict[str, object]:
        return json.loads(await self.line())

    async def end(self, how: signal.Signals) -> None:
        if self._running.returncode is None:
            self._running.send_signal(how)
        try:
            async with asyncio.timeout(15):
                await self._running.wait()
        except TimeoutError:
            self._running.kill()
            await self._running.wait()

    def _why(self) -> str:
        lines = [line for line in self._errors.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it ended without a word"


@asynccontextmanager
async def started(
    command: Sequence[str], errors: Path, environment: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """A process for the time of a block; at its end it is told to end, and killed if it does not."""
    with errors.open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env={**os.environ, **(environment or {})}
        )
    process = Process(running, errors)
    try:
        yield process
    finally:
        await process.end(signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
