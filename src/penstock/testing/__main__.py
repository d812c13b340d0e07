"""`python -m penstock.testing`: one seed with its story, or many seeds with their verdicts."""

import sys
import time

import click

from penstock.testing.world import simulate


@click.command()
@click.option("--seed", type=int, help="Run this seed and print how it went.")
@click.option("--seeds", type=click.IntRange(min=1), help="Run that many seeds and print those that fail.")
@click.option("--first", type=int, default=0, show_default=True, help="The first of many seeds.")
@click.option("--lines", type=click.IntRange(min=1), default=60, show_default=True, help="Lines of a seed's end.")
def main(seed: int | None, seeds: int | None, first: int, lines: int) -> None:
    """Simulates the engine among faults: the same seed is the same run, every time."""
    if seed is not None:
        sys.exit(_one(seed, lines))
    sys.exit(_many(first, seeds or 20))


def _one(seed: int, lines: int) -> int:
    verdict = simulate(seed)
    for line in verdict.trace[-lines:]:
        click.echo(line)
    click.echo(
        f"seed {seed}: {'good' if verdict.good else 'FAILED'}; {verdict.turns} turns, {verdict.crashes} crashes, "
        f"{verdict.simulated_s:.0f} s simulated, {len(verdict.trace)} lines, trace {verdict.digest}"
    )
    return 0 if verdict.good else 1


def _many(first: int, count: int) -> int:
    began = time.monotonic()
    failed = turns = crashes = 0
    for seed in range(first, first + count):
        verdict = simulate(seed)
        turns, crashes = turns + verdict.turns, crashes + verdict.crashes
        if not verdict.good:
            failed += 1
            click.echo(f"seed {seed} FAILED: {verdict.violations[0]}")
    took_s = time.monotonic() - began
    click.echo(f"{count} seeds, {failed} failed; {turns} turns, {crashes} crashes in {took_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
