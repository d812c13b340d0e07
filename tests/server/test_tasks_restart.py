"""The engine is killed between an offer and its answer: nothing is lost, nothing is offered twice."""

import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.process import COMMAND, environment
from tests.server.client import client_of
from tests.server.tasks_by_event import deployed, ended, one_pulled, pulled, pushed_tool, registered, say, started

pytestmark = pytest.mark.slow


@contextmanager
def killed_in_the_end(directory: Path) -> Generator[str]:
    """The address of a server over the store in this directory; its end is SIGKILL."""
    process = subprocess.Popen(
        (*COMMAND, "up", "--port", "0"), cwd=directory, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None
        yield found.group()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.mission("M116")
async def test_an_engine_that_was_killed_takes_the_answer_of_before(tmp_path: Path) -> None:
    with killed_in_the_end(tmp_path) as url:
        async with client_of(url) as client:
            await registered(client, "checker")
            await deployed(client, "killed")
            taken, waiting = await started(client, "killed"), await started(client, "killed")
            task = await one_pulled(client, "checker")
            await say(client, task, "started")
    with killed_in_the_end(tmp_path) as url:
        async with client_of(url) as client:
            other = await one_pulled(client, "checker")
            assert {task["penstockrun"], other["penstockrun"]} == {taken, waiting}
            assert (task["penstocklease"], other["penstocklease"]) == (1, 1)
            assert await pulled(client, "checker", "wait=0") == [], "each was offered once"
            for one in (task, other):
                await say(client, one, "finished", of=one["penstockrun"])
                run = await ended(client, one["penstockrun"])
                assert run["output"] == {"of": one["penstockrun"]}
                listed = (await client.get(f"/api/v1/events?run={run['id']}")).body["items"]
                assert [event["type"] for event in listed].count("checknumber.triggered") == 1


async def test_what_was_not_taken_before_the_kill_is_pushed_after_it(tmp_path: Path) -> None:
    async with pushed_tool() as tool:
        tool.statuses = [503]
        with killed_in_the_end(tmp_path) as url:
            async with client_of(url) as client:
                await registered(client, "checker", {"kind": "push", "url": tool.url})
                await deployed(client, "pushed")
                run_id = await started(client, "pushed")
        with killed_in_the_end(tmp_path) as url:
            async with client_of(url) as client:
                tool.engine = client
                assert (await ended(client, run_id))["output"] == {"ok": True}
