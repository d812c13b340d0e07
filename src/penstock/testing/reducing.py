"""Which of a seed's faults its failure needs: leaves out one after the other, and keeps what it cannot do without."""

from penstock.testing.weather import Weather
from penstock.testing.world import simulate


def reduce(seed: int, weather: Weather) -> Weather:
    """A weather in which the seed fails, and would not if any single fault were left out. As given if it is good."""
    if simulate(seed, weather).good:
        return weather
    needless = True
    while needless:
        needless = False
        for name in weather.faults:
            less = weather.without([name])
            if not simulate(seed, less).good:
                weather, needless = less, True
    return weather
