"""A server with an empty store for one test, spoken to over real HTTP on loopback.

By default it runs inside the test's event loop (fast); with `PENSTOCK_CONFORMANCE_PROCESS=1`
it is a process of its own, started as a user would and stopped by SIGTERM. `running_server`
is the only door, and `_in_process` the only place that knows how the engine is composed.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

import penstock
from penstock.model.json_value import Json
from penstock.runtime.settings import Settings

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 15.0
CHUNK_BYTES = 65536
MEMORY = "memory:"
_READY_INTERVAL_S = 0.02
_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


@asynccontextmanager
async def running_server(
    directory: Path, *, store: str = MEMORY, secrets: Mapping[str, Json] | None = None
) -> AsyncIterator[str]:
    """The base URL of a ready server in development mode, working in `directory` until the block ends.

    `store` is `memory:` or `sqlite:PATH`; `secrets` (name to value) are there from its start.
    """
    secrets_file = _secrets_file(directory, secrets or {})
    if os.environ.get("PENSTOCK_CONFORMANCE_PROCESS") == "1":
        command = (sys.executable, "-m", "penstock", "up", "--port", "0", "--store", store)
        serving = server_process((*command, "--secrets", str(secrets_file)), directory)
    else:
        serving = _in_process(directory, store, secrets_file)
    async with serving as base_url:
        await until_ready(base_url)
        yield base_url


@asynccontextmanager
async def _in_process(directory: Path, store: str, secrets_file: Path) -> AsyncIterator[str]:
    from penstock.server.app import serve  # noqa: PLC0415 - self-tests need no server

    settings = Settings(data_dir=str(directory), store=store, port=0, secrets=str(secrets_file), expression_processes=2)
    async with serve(settings) as server:
        yield server.base_url


@asynccontextmanager
async def server_process(command: Sequence[str], directory: Path) -> AsyncIterator[str]:
    """The address that a child process names on its output; on SIGTERM it must end with exit status 0."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[str] = []
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            base_url = await _announced_url(process, said)
        # What it says later must be read, or its pipe fills and it stands still.
        reader = asyncio.create_task(_drain(process, said))
        yield base_url
    finally:
        status = await _stopped(process)
    await reader
    if status != 0:
        raise AssertionError(f"server process: exit status after SIGTERM: expected 0, actual {status}\n{''.join(said)}")


def clean_environment() -> dict[str, str]:
    """What a child process sees: no setting of this shell, and the package under test importable."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    sources = Path(penstock.__path__[0]).resolve().parent
    return {**kept, "PYTHONPATH": str(sources), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def url_in(line: str) -> str | None:
    """The loopback address that a line of the server's greeting names, if any."""
    found = _URL.search(line)
    return found.group(0) if found else None


async def until_ready(base_url: str) -> None:
    """Return once `/readyz` answers 200; fail after the start deadline."""
    last = "no answer"
    deadline = asyncio.get_running_loop().time() + START_DEADLINE_S
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with session.get(f"{base_url}/readyz") as response:
                    if response.status == 200:
                        return
                    last = f"{response.status} {await response.text()}"
            except aiohttp.ClientConnectionError as error:
                last = repr(error)
            await asyncio.sleep(_READY_INTERVAL_S)
    raise AssertionError(f"{base_url}/readyz: expected 200 within {START_DEADLINE_S:g} s, last: {last}")


def _secrets_file(directory: Path, secrets: Mapping[str, Json]) -> Path:
    path = directory / "secrets.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(dict(secrets)), "utf8")
    return path


async def _announced_url(process: asyncio.subprocess.Process, said: list[str]) -> str:
    if process.stdout is None:
        raise AssertionError("server process: no standard output to read")
    while line := (await process.stdout.readline()).decode("utf8", "replace"):
        said.append(line)
        if (base_url := url_in(line)) is not None:
            return base_url
    raise AssertionError(f"server process: ended before it named its address:\n{''.join(said)}")


async def _drain(process: asyncio.subprocess.Process, said: list[str]) -> None:
    if process.stdout is not None:
        while chunk := await process.stdout.read(CHUNK_BYTES):
            said.append(chunk.decode("utf8", "replace"))


async def _stopped(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_DEADLINE_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"server process: still alive {STOP_DEADLINE_S:g} s after SIGTERM") from None
