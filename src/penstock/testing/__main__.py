"""`python -m penstock.testing`: one seed with its story, or many seeds with their verdicts."""

import sys
import time
from collections.abc import Sequence

import click

from penstock.testing.reducing import reduce
from penstock.testing.weather import FAULTS, Weather, weather_of_seed
from penstock.testing.world import simulate


@click.command()
@click.option("--seed", type=int, help="Run this seed and print how it went.")
@click.option("--seeds", type=click.IntRange(min=1), help="Run that many seeds and print those that fail.")
@click.option("--first", type=int, default=0, show_default=True, help="The first of many seeds.")
@click.option("--lines", type=click.IntRange(min=1), default=60, show_default=True, help="Lines of a seed's end.")
@click.option("--without", default="", help="Leave out faults whose name begins so, separated by commas.")
@click.option("--with", "given", default="", help="Give faults a rate of their own: name=rate, separated by commas.")
@click.option("--reduce", "reducing", is_flag=True, help="Find the few faults with which the seed still fails.")
def main(seed: int | None, seeds: int | None, first: int, lines: int, without: str, given: str, reducing: bool) -> None:
    """Simulates the engine among faults: the same seed is the same run, every time."""
    change = _Change(_words(without), _rates(given))
    if seed is None:
        sys.exit(_many(range(first, first + (seeds or 20)), change))
    weather = change.of(seed)
    if reducing:
        weather = reduce(seed, weather)
    sys.exit(_one(seed, weather, lines))


class _Change:
    """What the command line wants changed in the weather of each seed."""

    def __init__(self, without: Sequence[str], rates: dict[str, float]) -> None:
        self._without = without
        self._rates = rates

    def of(self, seed: int) -> Weather:
        return weather_of_seed(seed).without(self._without).but(self._rates)


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not any(name.startswith(word) for name in FAULTS):
            raise click.BadParameter(f"no fault begins with {word!r}; there are {', '.join(FAULTS)}")
    return words


def _rates(text: str) -> dict[str, float]:
    rates: dict[str, float] = {}
    for word in (word for word in text.split(",") if word.strip()):
        name, _, rate = word.partition("=")
        if name.strip() not in FAULTS:
            raise click.BadParameter(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        try:
            rates[name.strip()] = float(rate)
        except ValueError:
            raise click.BadParameter(f"{word!r}: a rate is a number") from None
    return rates


def _one(seed: int, weather: Weather, lines: int) -> int:
    verdict = simulate(seed, weather)
    for line in verdict.trace[-lines:]:
        click.echo(line)
    click.echo("weather: " + ", ".join(f"{name}={rate:.3g}" for name, rate in weather.faults.items()))
    click.echo(
        f"seed {seed}: {'good' if verdict.good else 'FAILED'}; {verdict.turns} turns, {verdict.crashes} crashes, "
        f"{verdict.simulated_s:.0f} s simulated, {len(verdict.trace)} lines, trace {verdict.digest}"
    )
    return 0 if verdict.good else 1


def _many(seeds: Sequence[int], change: _Change) -> int:
    began = time.monotonic()
    failed = turns = crashes = 0
    for seed in seeds:
        verdict = simulate(seed, change.of(seed))
        turns, crashes = turns + verdict.turns, crashes + verdict.crashes
        if not verdict.good:
            failed += 1
            click.echo(f"seed {seed} FAILED: {verdict.violations[0]}")
    took_s = time.monotonic() - began
    click.echo(f"{len(seeds)} seeds, {failed} failed; {turns} turns, {crashes} crashes in {took_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
