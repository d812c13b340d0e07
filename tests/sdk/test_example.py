"""The example of the page about embedding runs as it is printed there, and after a kill goes on."""

import asyncio
import re
import sys
from pathlib import Path

from tests.conformance_data import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "embedded" / "order.py"
PAGE = REPOSITORY / "docs" / "embedding.md"


async def output_of(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.embedded.order", *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY / "src"), "PATH": "/usr/bin:/bin"},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return said.decode()


async def test_the_example_runs_in_memory() -> None:
    assert re.fullmatch(r"run \S+: \{'shipped': 3, 'payment': 'paid 60 under \S+'\}\n", await output_of())


async def test_the_example_started_again_gives_the_same_run(tmp_path: Path) -> None:
    database = str(tmp_path / "orders.db")
    assert await output_of(database) == await output_of(database)


def test_the_page_shows_the_example() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in PAGE.read_text(encoding="utf-8")
