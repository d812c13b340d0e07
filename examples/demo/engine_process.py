"""The engine as a process of its own, which can be killed and started again on the same port and the same store."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import aiohttp

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 15.0
PROBE_INTERVAL_S: Final = 0.05
LOG_TAIL_CHARACTERS: Final = 2000


class EngineDidNotStart(Exception):
    """The engine's process ended, or was not ready in time; the message holds the end of its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EngineProcess:
    """`penstock up` with its data in `directory`. Not running until `start`."""

    def __init__(self, directory: Path, *, store: str | None = None) -> None:
        self._directory = directory
        self._store = f"sqlite:{directory / 'demo.db'}" if store is None else store
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the engine was not started"
        return self._process.pid

    async def start(self, session: aiohttp.ClientSession) -> float:
        """Starts the process and returns, once it takes work, how many seconds that took."""
        began = time.monotonic()
        process = self._process = self._launch()
        while not await self._ready(session):
            if process.poll() is not None or time.monotonic() - began > START_TIMEOUT_S:
                raise EngineDidNotStart(f"penstock up was not ready; the end of its log:\n{self._log_tail()}")
            await asyncio.sleep(PROBE_INTERVAL_S)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: the process gets no chance to write anything or to say goodbye."""
        assert self._process is not None, "the engine was not started"
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends the process if it runs; a second call does nothing."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command(),
                cwd=self._directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo, which then stops the engine
            )

    @property
    def _log(self) -> Path:
        return self._directory / "engine.log"

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "penstock", "up", "--port", str(self._port), "--store", self._store]

    def _environment(self) -> dict[str, str]:
        """Ours without settings meant for another engine; its key and other data go to the directory."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return kept | {"PENSTOCK_DATA_DIR": str(self._directory)}

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.base_url}/readyz") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
