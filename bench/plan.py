"""Which subject does which work, and why the others do not."""

from typing import Final

NOT_FOR_FLOOR: Final = "the floor is the writing only: it has no events, timers or recovery"
ONE_ENGINE: Final = "by size only this engine is measured"
TAKES_TIME: Final = "left out of the quick run; `--full` has it"

SUBJECTS: Final = {
    "penstock": "Penstock over SQLite, engine in the measuring process",
    "penstock-pg": "Penstock over PostgreSQL, engine in the measuring process",
    "dbos-sqlite": "DBOS over SQLite, in the measuring process",
    "dbos-pg": "DBOS over PostgreSQL, in the measuring process",
    "procrastinate": "procrastinate, a job queue over PostgreSQL, worker in the measuring process",
    "restate": "Restate: its server (Rust) and a service of its Python SDK, each a process of its own, over HTTP",
    "floor": "no engine: the same number of rows written to SQLite in shared transactions",
}

TITLES: Final = {
    "W1": "five steps that do nothing, 100 runs at once",
    "W2": "three HTTP calls to a local service, 100 runs at once",
    "W3": "runs that wait for one event each, then the events",
    "W4": "a thousand parallel steps and their join",
    "W5": "timers: how late they fire",
    "W6": "500 runs in flight, SIGKILL, a new process",
    "W7": "started over HTTP, one HTTP call, answered when completed, 100 at once",
}

SIZE_TITLES: Final = {
    "W8a": "runs that wait, by how many they are: what each costs, and what everything else costs among them",
    "W8b": "one run, by the steps that it has behind it: what one more step takes",
    "W8c": "five steps, by the data that each of them returns, 10 runs at once",
    "W8d": "events that came before their listeners, by how many are kept: a run that finds its own among them",
    "W9a": "five steps that do nothing, 100 runs at once, by the engine processes that share one PostgreSQL database",
    "W9b": "three HTTP calls, started over HTTP, 100 runs at once, by the servers that share one PostgreSQL database",
}
"""Works that one subject does in several sizes; what is compared is the same subject at its smallest size."""

SIZES: Final = {
    "W8a": (1_000, 10_000, 100_000),
    "W8b": (100, 1_000, 10_000, 100_000),
    "W8c": (1_000, 10_000, 100_000, 250_000),
    "W8d": (100, 1_000, 10_000),
    "W9a": (1, 2),
    "W9b": (1, 2),
}

LARGEST_PARKED: Final = 1_000_000
"""With `--large`."""

SIZED_SUBJECTS: Final = ("penstock", "penstock-pg")

NODE_FIGURES: Final = (
    "runs/s",
    "alone p50 ms",
    "runs/s when one node takes all starts",
    "CPU ms/run of the nodes",
    "CPU ms/run of PostgreSQL",
)

COMPARED: Final = {
    "W8a": (
        "KB kept/parked run",
        "MB for opening",
        "MB at the end",
        "starts/s",
        "CPU ms/start",
        "CPU ms/event",
        "event to end p50 ms",
        "CPU ms/event at once",
    ),
    "W8b": ("one more step p50 ms", "one more step mean ms"),
    "W8c": ("steps/s", "CPU µs/step", "written/data"),
    "W8d": ("events taken in/s", "start to end p50 ms", "CPU ms/run"),
    "W9a": NODE_FIGURES,
    "W9b": NODE_FIGURES,
}
"""The figures of a work for which the page says how many times those of the smallest size they are."""

HEADLINES: Final = {
    "W1": ("runs/s", True),
    "W2": ("runs/s", True),
    "W3": ("events to ends/s", True),
    "W4": ("ms", False),
    "W5": ("late p50 ms", False),
    "W6": ("open to done s", False),
    "W7": ("runs/s", True),
}
"""The figure of a work that is compared and drawn, and whether more of it is better."""

SKIPPED: Final = {
    ("W3", "floor"): NOT_FOR_FLOOR,
    ("W5", "floor"): NOT_FOR_FLOOR,
    ("W6", "floor"): NOT_FOR_FLOOR,
    ("W3", "procrastinate"): "a job queue has no waiting for an event",
    (
        "W6",
        "procrastinate",
    ): "its recovery is the application's: jobs without a heartbeat for 30 s, to be retried by hand",
    ("W7", "procrastinate"): "a job has no result to wait for; the answer would measure the bench",
}

ONLY_FULL: Final = {
    "penstock-pg": ("W2", "W4", "W5", "W6", "W7"),
    "dbos-pg": ("W2", "W4", "W5", "W6", "W7"),
    "procrastinate": ("W2",),
}


def reason(work: str, subject: str, *, full: bool) -> str:
    """Why a subject is not measured at a work; empty when it is."""
    if (work, subject) in SKIPPED:
        return SKIPPED[work, subject]
    if work in SIZE_TITLES:
        return _sized_reason(work, subject, full=full)
    return TAKES_TIME if work in ONLY_FULL.get(subject, ()) and not full else ""


def _sized_reason(work: str, subject: str, *, full: bool) -> str:
    if subject not in SIZED_SUBJECTS:
        return ONE_ENGINE
    if work.startswith("W9"):
        return "" if subject == "penstock-pg" else "several nodes need a store that they can share"
    return TAKES_TIME if subject == "penstock-pg" and not full else ""
