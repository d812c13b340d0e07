"""The simulated world: the production engine over a simulated store, clock, network and tools, driven by one seed."""

from penstock.testing.loop import SimulatedLoop, Stuck
from penstock.testing.oracle import Violation
from penstock.testing.store import SimulatedDisk, SimulatedStore
from penstock.testing.weather import CALM, Weather, weather_of_seed
from penstock.testing.world import Verdict, World, simulate

__all__ = [
    "CALM",
    "SimulatedDisk",
    "SimulatedLoop",
    "SimulatedStore",
    "Stuck",
    "Verdict",
    "Violation",
    "Weather",
    "World",
    "simulate",
    "weather_of_seed",
]
