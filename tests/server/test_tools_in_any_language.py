"""The example tools, each a process of its own in its language, do work of a real server."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock.model.json_value import Json
from tests.conformance_data import REPOSITORY
from tests.server.client import Client
from tests.server.tasks_by_event import deployed, ended, registered, started

TOOLS = REPOSITORY / "examples" / "tools"
CHECK: Json = {"check": {"call": "checknumber", "with": {"number": "${ .number }"}}}
PATIENCE_S = 30
pytestmark = pytest.mark.mission("M112", "M036")


@asynccontextmanager
async def running(*command: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is ended with the block."""
    for program in ("curl", "jq") if command[0].endswith(".sh") else (command[0],):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    process = await asyncio.create_subprocess_exec(*command, env={**kept, **variables}, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def checks_numbers(client: Client) -> None:
    await deployed(client, "checks", CHECK)
    wanted = {2: True, 91: False, 97: True}
    runs = {number: await started(client, "checks", {"number": number}) for number in wanted}
    async with asyncio.timeout(PATIENCE_S):
        outputs = {number: (await ended(client, run_id))["output"] for number, run_id in runs.items()}
        assert outputs == {number: {"prime": prime} for number, prime in wanted.items()}
        run = await ended(client, await started(client, "checks", {"number": None}))
    assert (run["status"], run["error"]["detail"]) == (
        "faulted",
        "the tool 'checknumber' errored: number is missing",
    )


async def test_shell_with_curl_and_jq(client: Client) -> None:
    await registered(client, "checknumber")
    async with running(str(TOOLS / "checknumber.sh"), PENSTOCK_URL=client.base_url, COUNT="4") as process:
        await checks_numbers(client)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0


async def test_python_without_packages(client: Client) -> None:
    await registered(client, "checknumber")
    command = (sys.executable, "-I", str(TOOLS / "checknumber.py"))
    async with running(*command, PENSTOCK_URL=client.base_url, COUNT="4") as process:
        await checks_numbers(client)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0


async def test_javascript_that_is_pushed(client: Client) -> None:
    await client.send("PUT", "/api/v1/secrets/checknumber-key", {"value": "a key of the test"})
    command = ("node", str(TOOLS / "checknumber.mjs"))
    async with running(*command, PENSTOCK_URL=client.base_url, PORT="0", KEY="a key of the test") as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            port = int((await process.stdout.readline()).split()[-1])
        transport = {"kind": "push", "url": f"http://127.0.0.1:{port}/", "secret": "checknumber-key"}
        await registered(client, "checknumber", transport)
        await checks_numbers(client)
