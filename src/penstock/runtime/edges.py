"""What a simulation puts in the place of network and processes; an engine in service has the real ones."""

from dataclasses import dataclass

from penstock.runtime.evaluate import Workers
from penstock.tools.contract import Performer


@dataclass(frozen=True, slots=True)
class Edges:
    """None is the real one. `performer` performs every call, `workers` evaluate what is not native."""

    performer: Performer | None = None
    workers: Workers | None = None
