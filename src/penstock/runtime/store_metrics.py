"""What the store counts about itself, read when somebody asks for metrics: nothing is counted twice."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.store.counters import StoreStatistics

_TEXTS: Final = {
    "commits": "Transactions of the store that wrote something and succeeded.",
    "turns": "Turns of runs that the store has written.",
    "statements": "Statements that the store has executed, reads included.",
    "retried_batches": "Transactions done again, write by write.",
    "failed_batches": "Transactions that failed as a whole.",
    "queue_length": "Writes that wait for their transaction.",
}
_GAUGES: Final = frozenset({"queue_length"})


class StoreCollector(Collector):
    """One per open store. Register it for as long as the store is open."""

    def __init__(self, statistics: Callable[[], StoreStatistics]) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """Every number that the store gives, under its own name."""
        for name, value in msgspec.structs.asdict(self._statistics()).items():
            kind = GaugeMetricFamily if name in _GAUGES else CounterMetricFamily
            yield kind(f"penstock_store_{name}", _TEXTS.get(name, name), value=value)
