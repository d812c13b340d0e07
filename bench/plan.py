"""Which subject does which work, and why the others do not."""

from typing import Final

NOT_FOR_FLOOR: Final = "the floor is the writing only: it has no events, timers or recovery"
TAKES_TIME: Final = "left out of the quick run; `--full` has it"

SUBJECTS: Final = {
    "penstock": "Penstock over SQLite, engine in the measuring process",
    "penstock-pg": "Penstock over PostgreSQL, engine in the measuring process",
    "dbos-sqlite": "DBOS over SQLite, in the measuring process",
    "dbos-pg": "DBOS over PostgreSQL, in the measuring process",
    "procrastinate": "procrastinate, a job queue over PostgreSQL, worker in the measuring process",
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
    return TAKES_TIME if work in ONLY_FULL.get(subject, ()) and not full else ""
