"""Compare what a case expects with what was observed: pure, every difference as one sentence."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from penstock.model.json_value import Json

from .case import accepted_statuses
from .harness import match

ENDED = frozenset({"completed", "faulted", "cancelled"})
"""Statuses that no run leaves."""


@dataclass(frozen=True)
class Observed:
    """What a run (or a schedule's runs) showed over HTTP. Times in milliseconds of the client's clock."""

    status: str
    output: Json = None
    error: Json = None
    tasks: Sequence[Json] = ()
    events_out: Sequence[Json] = ()
    history: Sequence[Json] = ()
    elapsed_ms: float = 0.0
    runs: Sequence[Json] = field(default_factory=list[Json])


def differences(expected: Mapping[str, Json], seen: Observed) -> list[str]:
    """Every expectation that does not hold; [] when all do. HTTP requests are the mock server's matter."""
    found: list[str] = []
    if seen.status not in accepted_statuses(expected):
        found.append(
            f"status: expected {expected['status']!r}, actual {seen.status!r}"
            + (f" with error {seen.error!r}" if seen.error is not None else "")
        )
    if "output" in expected:
        found += _matched("output", expected["output"], seen.output)
    if "error" in expected:
        found += _matched("error", {"$subset": expected["error"]}, seen.error)
    if "tasks_run_order" in expected:
        found += _matched("tasks_run_order", expected["tasks_run_order"], names_of_tasks_run(seen.tasks))
    if "events_out" in expected:
        found += _events(expected["events_out"], seen.events_out)
    if "lifecycle" in expected:
        found += _lifecycle(expected["lifecycle"], seen.history)
    if "timing" in expected:
        found += _timing(expected["timing"], seen.elapsed_ms)
    if "instances" in expected:
        found += _instances(expected["instances"], seen.runs)
    return found


def names_of_tasks_run(tasks: Sequence[Json]) -> list[str]:
    """The names of the tasks that were entered, in order; skipped ones are left out."""
    return [task["name"] for task in tasks if task["status"] != "skipped"]


def _matched(what: str, expected: Json, actual: Json) -> list[str]:
    problems = match(expected, actual)
    if not problems:
        return []
    return [f"{what}: expected {_text(expected)}, actual {_text(actual)} ({'; '.join(problems)})"]


def _events(expected: Json, actual: Sequence[Json]) -> list[str]:
    found = _matched("events_out", expected, list(actual))
    identities = [(event.get("source"), event.get("id")) for event in actual]
    if len(set(identities)) != len(identities):
        found.append(f"events_out: expected distinct (source, id), actual {identities!r}")
    return found


def _lifecycle(expected: Sequence[Json], history: Sequence[Json]) -> list[str]:
    """Each expected event occurs, after the one before it; others may stand between."""
    start = 0
    for number, wanted in enumerate(expected):
        at = next((i for i in range(start, len(history)) if _is_lifecycle(wanted, history[i])), None)
        if at is None:
            same_type = [e.get("data") for e in history[start:] if e.get("type") == wanted["type"]]
            types = [e.get("type") for e in history[start:]]
            place = f"lifecycle[{number}]: expected {_text(wanted)} after history item {start}"
            return [f"{place}, actual types {types!r}, data under that type {_text(same_type)}"]
        start = at + 1
    return []


def _is_lifecycle(wanted: Json, event: Json) -> bool:
    return wanted["type"] == event.get("type") and not match(wanted.get("data", {"$any": True}), event.get("data"))


def _timing(expected: Mapping[str, float], elapsed_ms: float) -> list[str]:
    low, high = expected.get("min_ms", 0), expected.get("max_ms", float("inf"))
    if low <= elapsed_ms <= high:
        return []
    return [f"timing: expected {low} to {high} ms, actual {elapsed_ms:.1f} ms"]


def _instances(expected: Mapping[str, Json], runs: Sequence[Json]) -> list[str]:
    found: list[str] = []
    low = expected.get("count", expected.get("min", 0))
    high = expected.get("count", expected.get("max", float("inf")))
    if not low <= len(runs) <= high:
        found.append(f"instances: expected {low} to {high} runs, actual {len(runs)}")
    outputs = [run.get("output") for run in runs]
    if "outputs_unordered" in expected:
        found += _matched("instances.outputs", {"$unordered": expected["outputs_unordered"]}, outputs)
    for number, run in enumerate(runs):
        if "each_output" in expected:
            found += _matched(f"instances[{number}].output", expected["each_output"], run.get("output"))
        found += _matched(f"instances[{number}].status", expected.get("each_status", "completed"), run.get("status"))
    return found


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
