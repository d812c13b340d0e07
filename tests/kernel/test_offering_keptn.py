"""Keptn's rules for tasks of several executors, where they are ours: aggregation, and when a task is done.

Keptn counts events where we count tools, and takes a finish without a start for half of an answer; so each executor
has a name here, and all of them start before the first finishes. Status `aborted` is none of ours (TA12).
"""

from typing import Any

import pytest

from penstock.errors import Fault
from penstock.kernel.participation import is_done, outcome, worst
from penstock.kernel.state import OfferedWork
from tests.conformance_data import conformance_json
from tests.kernel.offered import calling, offer, say, told, work
from tests.kernel.world import Run

CASES: list[dict[str, Any]] = conformance_json("keptn", "task-aggregation-cases-open.json")
WAITING = "one-more"


def answered(case: dict[str, Any], *, keep_open: bool) -> Run:
    """The case's events as answers to one offer; `keep_open` has one more tool start, so that the task stays."""
    run = offer(calling(), "one", "two")
    kinds = [event["type"].rsplit(".", 1)[1] for event in case["events"]]
    numbers = [str(event["source"] or kinds[:place].count(kinds[place])) for place, event in enumerate(case["events"])]
    for wanted in ("started", "finished"):
        for kind, source, event in zip(kinds, numbers, case["events"], strict=True):
            if kind == wanted:
                verdict = {name: event[name] for name in ("status", "result") if event[name]}
                data = None if kind == "started" else {**(event.get("properties") or {}), **verdict}
                say(run, kind, source, None, data)
        if keep_open and wanted == "started":
            say(run, "started", WAITING)
    return run


def finished(run: Run) -> OfferedWork:
    """The work without the tool that keeps it open."""
    current = work(run)
    assert current is not None
    others = tuple(one for one in current.participants if one.tool != WAITING)
    return OfferedWork(
        current.invoke, current.capability, "", 0, current.tools, others, current.output, current.told
    )  # fmt: skip


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["kind"] == "aggregate_task" and c["id"] != "TA12"], ids=lambda case: case["id"]
)
def test_the_aggregate_of_a_task(case: dict[str, Any]) -> None:
    wanted = case["expected"]
    done = finished(answered(case, keep_open=True))
    assert is_done(done)
    assert worst(done) == (wanted["status"], wanted["result"])
    assert done.output is not None and done.output.data == (wanted["merged_properties"] or {})
    fails = wanted["status"] == "errored" or wanted["result"] == "fail"
    assert isinstance(outcome(done), Fault) == fails
    assert answered(case, keep_open=False).live.status == ("faulted" if fails else "completed")


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "task_is_done"], ids=lambda case: case["id"])
def test_when_a_task_is_done(case: dict[str, Any]) -> None:
    run = answered(case, keep_open=False)
    assert len(told(run)) == len(case["events"])
    assert (work(run) is None) == case["expected"]["done"]
