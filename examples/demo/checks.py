"""The demo's proof: each function says in words what is wrong, and nothing when all is right. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from examples.demo.call_log import CallLog

ENDINGS: Final = ("completed", "faulted", "cancelled", "skipped")


def text_output(message: str) -> dict[str, Any]:
    """What the workflow `process-text` must make of a text, computed without it."""
    return {"message": message.upper()[::-1], "space_count": message.count(" ")}


def run_mistakes(acknowledged: Mapping[str, str], runs: Sequence[Mapping[str, Any]], *, expected: int) -> list[str]:
    """Whether there is exactly one completed run for each acknowledged start (`acknowledged`: key → run id)."""
    status = {run["id"]: run["status"] for run in runs}
    found = [f"{key} was acknowledged, but its run is lost" for key, run in acknowledged.items() if run not in status]
    found += [f"run {run} is {now}, not completed" for run, now in status.items() if now != "completed"]
    if len(acknowledged) != expected:
        found.append(f"{len(acknowledged)} starts were acknowledged, not {expected}")
    if len(set(acknowledged.values())) != len(acknowledged):
        found.append("two starts were given the same run")
    if len(runs) != expected:
        found.append(f"there are {len(runs)} runs, not {expected}")
    return found


def output_mistakes(outputs: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Whether each run's output is what it must be (both by key of the start)."""
    return [
        f"{key}: the output is {outputs.get(key)!r}, not {wanted!r}"
        for key, wanted in expected.items()
        if outputs.get(key) != wanted
    ]


def history_mistakes(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether a completed run's lifecycle events are whole: in order, without a gap, and none of them twice."""
    kinds = [event["type"].split(".", 2)[2] for event in events]
    found = _sequence_mistakes([event["sequence"] for event in events])
    if len({event["id"] for event in events}) != len(events):
        found.append("an event is in the history twice")
    if kinds[:1] != ["workflow.started.v1"] or kinds.count("workflow.started.v1") != 1:
        found.append("the run did not start once, at the beginning")
    if kinds[-1:] != ["workflow.completed.v1"] or kinds.count("workflow.completed.v1") != 1:
        found.append("the run did not complete once, at the end")
    return found + _task_mistakes(events)


def call_mistakes(calls: CallLog, *, keys: int) -> list[str]:
    """Whether the services saw each call under one key of its own, however often it was sent."""
    found: list[str] = []
    if calls.without_key:
        found.append(f"{calls.without_key} calls had no key")
    if len(calls.seen) != keys:
        found.append(f"there were calls under {len(calls.seen)} keys, not {keys}")
    found += [f"key {key} was used for different calls" for key, asked in calls.purposes.items() if len(asked) > 1]
    return found


def once_mistakes(effects: Mapping[int, int], *, expected: int) -> list[str]:
    """Whether each of `expected` effects happened, and happened once."""
    found = [f"effect {number} happened {times} times" for number, times in effects.items() if times != 1]
    if len(effects) != expected:
        found.append(f"{len(effects)} effects happened, not {expected}")
    return found


def _sequence_mistakes(sequences: Sequence[str]) -> list[str]:
    """A sequence is VERSION.PLACE: the number of the transition, and the place within it. Both leave nothing out."""
    if not sequences:
        return ["the history is empty"]
    found: list[str] = []
    version, place = 0, 0
    for sequence in sequences:
        now_version, now_place = (int(part) for part in sequence.split("."))
        follows = (now_version, now_place) in {(version, place + 1), (version + 1, 0)}
        if not follows:
            found.append(f"{sequence} does not follow {version}.{place}")
        version, place = now_version, now_place
    return found


def _task_mistakes(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each task run ends exactly once; one that completed started exactly once, any other at most once."""
    verbs: dict[str, Counter[str]] = {}
    for event in events:
        _, scope, verb, _ = event["type"].rsplit(".", 3)
        if scope == "task":
            task = f"{event['data']['task']} (entry {event['data']['entry']})"
            verbs.setdefault(task, Counter())[verb] += 1
    found: list[str] = []
    for task, times in verbs.items():
        ended = sum(times[verb] for verb in ENDINGS)
        if ended != 1:
            found.append(f"{task} ended {ended} times")
        if times["started"] > 1 or times["completed"] > times["started"]:
            found.append(f"{task} started {times['started']} times")
    return found
