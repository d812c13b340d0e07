"""What the engine counts. One instance per engine, on a registry of its own; the names are part of the surface."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Labelled:
    """A counter with labels. Finding a child takes longer than counting, so each is looked up once."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._children: dict[tuple[str, ...], Counter] = {}

    def labels(self, *values: str) -> Counter:
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._counter.labels(*values)
        return child


class Metrics:
    """Counters and gauges of one engine."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.runs_started = self._counter("runs_started", "Runs that were created.")
        self.runs_ended = self._counter("runs_ended", "Runs that ended, by status.", "status")
        self.turns = self._counter("turns", "Turns that were committed.")
        self.messages = Labelled(self._counter("messages", "Messages applied to runs, by kind.", "kind"))
        self.stale = self._counter("stale_messages", "Messages that no longer meant anything.")
        self.commits = Labelled(self._counter("commits", "Transactions of the turn loop, by outcome.", "outcome"))
        self.suspended = self._counter("runs_suspended_by_engine", "Runs that the engine could not process.")
        self.calls = Labelled(self._counter("calls", "Calls that ended, by kind and outcome.", "kind", "outcome"))
        self.pushes = Labelled(self._counter("pushes", "Deliveries of work to tools, by outcome.", "outcome"))
        self.events_in = self._counter("events_received", "Events taken from outside.")
        self.events_routed = self._counter("events_routed", "Events that were matched against listeners.")
        self.evaluations = self._counter("expression_evaluations", "Expressions evaluated in workers.")
        self.timers = self._counter("timers_fired", "Deadlines that came due.")
        self.pruned = self._counter("runs_pruned", "Ended runs that were deleted because their time was over.")
        self.handovers = Labelled(self._counter("partition_handovers", "Partitions gained, lost or released.", "what"))
        self.partitions = self._gauge("partitions_held", "Partitions of the runs that this engine holds.")
        self.nodes = self._gauge("nodes", "Engines that share the store, this one included.")
        self.runs_waiting = self._gauge("runs_ready", "Runs whose messages wait for a turn.")
        self.runs_cached = self._gauge("runs_cached", "States of runs in memory.")
        self.calls_in_flight = self._gauge("calls_in_flight", "Calls under way.")
        self.calls_waiting = self._gauge("calls_waiting", "Calls that wait for a place or a tool.")
        self.commit_seconds = Histogram(
            "penstock_commit_seconds", "Duration of a transaction of the turn loop.", registry=self.registry
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"penstock_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"penstock_{name}", text, registry=self.registry)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
