"""`kill -9` in the middle of runs whose steps are functions: each step keeps its key, and none is lost."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

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


@pytest.mark.slow
@pytest.mark.mission("M009")
async def test_a_killed_program_repeats_a_call_only_under_its_key(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    for _ in range(KILLS):
        said = await one_life(tmp_path, rng.randint(5, RUNS * len(STEPS) // KILLS))
        assert not any(line.startswith("result") for line in said), "the kill came too late"
    ends = [line.split()[1:] for line in await one_life(tmp_path, None) if line.startswith("result")]
    results = {int(n): keys for n, *keys in ends}
    assert sorted(results) == list(range(RUNS))
    keys: dict[tuple[str, int], set[str]] = {}
    calls = Counter[tuple[str, int]]()
    for line in (tmp_path / "records").read_text().splitlines():
        step, n, key = line.split()
        keys.setdefault((step, int(n)), set()).add(key)
        calls[step, int(n)] += 1
    # Every step was called, always under one key, and that key is in the result.
    assert keys == {(step, n): {results[n][i]} for n in range(RUNS) for i, step in enumerate(STEPS)}
    assert len({key for one in keys.values() for key in one}) == RUNS * len(STEPS)
    assert calls.total() > RUNS * len(STEPS), "the kills hit no call: the test shows nothing"
    # Only calls under way at a kill are made again, each at most once per kill.
    assert max(calls.values()) <= 1 + KILLS
