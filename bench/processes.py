"""Measuring processes: started in their own environment, read line by line, killed and ended by their id."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from bench.works import Figures, Sizes

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / "bench" / ".venv" / "bin" / "python"
IN_PEERS: Final = ("dbos", "procrastinate", "restate")
"""Subjects whose libraries are in that environment."""
LONGEST_SECONDS: Final = 150.0
"""A measurement that takes longer has failed."""
SIZE_PER_SECOND: Final = 500.0
"""The slowest that runs may be parked."""


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
    postgres: int = 0  # the process of the server, for what it spends

    @property
    def longest_seconds(self) -> float:
        """A measurement that takes longer has failed; a larger one may take longer."""
        return LONGEST_SECONDS + self.sizes.size / SIZE_PER_SECOND

    def command(self, *more: str) -> list[str]:
        python = str(PEERS) if self.name.startswith(IN_PEERS) else sys.executable
        sizes = [f"--{field.name.replace('_', '-')}={getattr(self.sizes, field.name)}" for field in fields(Sizes)]
        where = [f"--directory={self.directory}", f"--database={self.database}", f"--service={self.service}"]
        return [python, "-m", "bench.subject", self.name, self.work, *where, *sizes, *more]


class Process:
    """One process whose standard output is lines; its errors go to a file that explains a failure."""

    def __init__(self, running: asyncio.subprocess.Process, errors: Path, longest_seconds: float) -> None:
        self._running = running
        self._errors = errors
        self._longest_seconds = longest_seconds

    @property
    def id(self) -> int:
        return self._running.pid

    async def line(self) -> str:
        assert self._running.stdout is not None
        try:
            async with asyncio.timeout(self._longest_seconds):
                line = await self._running.stdout.readline()
        except TimeoutError:
            raise Failed(f"no figures within {self._longest_seconds:.0f} s") from None
        if not line:
            raise Failed(self.why())
        return line.decode()

    async def says(self) -> dict[str, object]:
        return json.loads(await self.line())

    async def end(self, how: signal.Signals) -> None:
        """The process and everything that it started: they are one group."""
        if self._running.returncode is None:
            os.killpg(self._running.pid, how)
        try:
            async with asyncio.timeout(15):
                await self._running.wait()
        except TimeoutError:
            self._running.kill()
            await self._running.wait()
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)

    def why(self) -> str:
        """The last line that it wrote to its errors."""
        lines = [line for line in self._errors.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it ended without a word"


def figures_of(said: dict[str, object]) -> tuple[Figures, str]:
    figures = said["figures"]
    assert isinstance(figures, dict)
    return figures, str(said["version"])


@asynccontextmanager
async def started(
    command: Sequence[str],
    errors: Path,
    environment: dict[str, str] | None = None,
    longest_seconds: float = LONGEST_SECONDS,
) -> AsyncIterator[Process]:
    """A process for the time of a block; at its end it is told to end, and killed if it does not."""
    with errors.open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            *command,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    process = Process(running, errors, longest_seconds)
    try:
        yield process
    finally:
        await process.end(signal.SIGTERM)
