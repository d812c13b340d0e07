"""`kill -9` in the middle of runs whose steps are functions: each step keeps its key, and none is lost."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from penstock import Engine

RUNS = 50
KILLS = 5
SEED = 20_261_121
STEPS = ("first", "second", "third")
CHILD = Path(__file__).with_name("kill_child.py")
SOURCES = Path(__file__).resolve().parents[2] / "src"


async def one_life(directory: Path, kill_after_calls: int | None) -> list[str]:
    """The lines that the program said to its end, or until it was killed after so many calls."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), str(directory / "engine.db"), str(directory / "records"), str(RUNS)),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(90):
            while line := await process.stdout.readline():
                said.append(line.decode())
                if len(said) == kill_after_calls:
                    break
            if kill_after_calls is None:
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said


def calls_of(directory: Path) -> Counter[tuple[str, int]]:
    """How often each step of each run was called."""
    lines = (line.split() for line in (directory / "records").read_text().splitlines())
    return Counter((step, int(n)) for step, n, _ in lines)


async def answered(directory: Path) -> set[tuple[str, int]]:
    """The steps whose answers are on disk, as an engine without any function sees them."""
    async with Engine(f"sqlite:{directory / 'engine.db'}") as engine:
        views = [await engine.get(row.id).view() for row in await engine.runtime.list_runs(limit=RUNS)]
    return {(task.name, view.input["n"]) for view in views for task in view.tasks if task.status == "completed"}


@pytest.mark.slow
@pytest.mark.mission("M009")
async def test_a_killed_program_repeats_only_calls_without_an_answer_and_under_their_key(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    settled: dict[tuple[str, int], int] = {}
    for _ in range(KILLS):
        said = await one_life(tmp_path, rng.randint(5, RUNS * len(STEPS) // KILLS))
        assert not any(line.startswith("result") for line in said), "the kill came too late"
        calls = calls_of(tmp_path)
        settled |= {step: calls[step] for step in await answered(tmp_path) if step not in settled}
    ends = [line.split()[1:] for line in await one_life(tmp_path, None) if line.startswith("result")]
    results = {int(n): keys for n, *keys in ends}
    assert sorted(results) == list(range(RUNS))
    keys: dict[tuple[str, int], set[str]] = {}
    for line in (tmp_path / "records").read_text().splitlines():
        step, n, key = line.split()
        keys.setdefault((step, int(n)), set()).add(key)
    # Every step was called, always under one key, and that key is in the result.
    assert keys == {(step, n): {results[n][i]} for n in range(RUNS) for i, step in enumerate(STEPS)}
    assert len({key for one in keys.values() for key in one}) == RUNS * len(STEPS)
    calls = calls_of(tmp_path)
    assert calls.total() > RUNS * len(STEPS), "the kills hit no call: the test shows nothing"
    # What was on disk at a kill was never called again.
    assert len(settled) > KILLS
    assert {step: calls[step] for step in settled} == settled
