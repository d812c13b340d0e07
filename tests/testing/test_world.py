"""The engine in simulated worlds: whatever goes wrong, the rules hold; and the same seed is the same world."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.testing import CALM, World, simulate, weather_of_seed

SEEDS = Path(__file__).with_name("regression_seeds.txt")


def regression_seeds() -> list[tuple[int, str]]:
    """(seed, rates)."""
    lines = [line.split() for line in SEEDS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [(int(words[0]), words[1] if "=" in words[1] else "") for words in lines]


def hold(seed: int, rates: str = "") -> None:
    given = dict(rate.split("=") for rate in rates.split(",") if rate)
    verdict = simulate(seed, weather_of_seed(seed).but({name: float(rate) for name, rate in given.items()}))
    story = "\n".join(verdict.trace[-80:])
    assert verdict.good, f"seed {seed}; `make sim SEED={seed} WITH={rates}` tells more\n{story}"


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_the_rules_hold_among_faults(seed: int) -> None:
    hold(seed)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "rates"), regression_seeds())
def test_what_once_failed_holds(seed: int, rates: str) -> None:
    hold(seed, rates)


def test_a_good_day_ends_well() -> None:
    verdict = World(1, CALM).run()
    assert verdict.good, verdict.violations
    assert verdict.outputs
    assert {status for status, _ in verdict.outputs.values()} <= {"completed", "faulted"}


def test_the_same_seed_is_the_same_world() -> None:
    assert simulate(7).trace == simulate(7).trace


def test_another_seed_is_another_world() -> None:
    assert simulate(7).digest != simulate(8).digest


def test_a_seed_is_the_same_world_in_every_process() -> None:
    """The order of sets of strings differs from process to process: nothing may depend on it."""
    told: set[str] = set()
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        command = [sys.executable, "-m", "penstock.testing", "--seed", "14", "--lines", "1"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "trace" in done.stdout, done.stderr
        told.add(done.stdout)
    assert len(told) == 1, told


def test_crashes_and_faults_happen() -> None:
    """A simulation without trouble would prove nothing."""
    verdicts = [simulate(seed) for seed in range(15)]
    assert sum(verdict.crashes for verdict in verdicts) > 5
    words = "\n".join(line for verdict in verdicts for line in verdict.trace)
    for word in ("CRASHES", "stops", "commit failed", "recovered", "answers again", "the clock steps", "suspend"):
        assert word in words, word
    for word in ("expelled; joined again", "partitions released", "stands still", "is cut off", "retry order"):
        assert word in words, word
