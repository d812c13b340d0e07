"""Tasks that tools take by event: one case for each rule."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from penstock.errors import CONFIGURATION, RUNTIME, TIMEOUT
from penstock.events.correlation import correlation_key
from penstock.kernel.commands import CancelCall, Command, Invoke, Offer, PublishEvent, Subscribe, Unsubscribe, Withdraw
from penstock.kernel.instants import rfc3339
from penstock.kernel.lifecycle import to_cloudevent
from penstock.kernel.messages import (
    CallFinished,
    CallOffered,
    CancelRequested,
    EventArrived,
    EventMatch,
    ResumeRequested,
    SuspendRequested,
)
from penstock.kernel.topics import TASK_TOPIC
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import (
    LEASES_PER_OFFER,
    MAX_IGNORED_FACTS,
    MAX_NAME_CHARACTERS,
    MAX_OFFERED_TOOLS,
    MAX_PARTICIPANTS,
    MAX_PROGRESS_BYTES,
    MAX_PROGRESS_FACTS,
    MAX_VALUE_BYTES,
)
from tests.kernel.offered import (
    START_MS,
    TOTAL_MS,
    calling,
    deliver,
    key,
    offer,
    offered,
    offers,
    published,
    say,
    told,
    work,
)
from tests.kernel.world import RUN_ID, Run, given

OPEN = object()
"""The task has not ended."""


@dataclass(frozen=True)
class Case:
    """`said` are (what, tool, lease, data) in order. The end: an output, the detail of a fault, or `OPEN`."""

    name: str
    tools: tuple[str, ...]
    said: list[tuple[Any, ...]]
    output: Any = OPEN
    fault: str = ""
    facts: list[str] = field(default_factory=list)


FAIL = {"result": "fail", "message": "no prime"}
CASES = [
    Case("a tool starts and finishes", ("a",), [("started", "a"), ("finished", "a", None, {"ok": 1})], {"ok": 1}),
    Case("without a start, a finish is both", ("a",), [("finished", "a", None, {"ok": 1})], {"ok": 1}),
    Case("a finish without data has no output", ("a",), [("finished", "a")], {}),
    Case("a started task is not done", ("a",), [("started", "a")], facts=["tool_started a 0"]),
    Case(
        "progress does not end it, and may come before the start",
        ("a",),
        [("status.changed", "a", None, {"p": 1}), ("started", "a")],
        facts=["progress a 0", "tool_started a 0"],
    ),
    Case(
        "it is done when all that have started have finished",
        ("a", "b"),
        [("started", "a"), ("started", "b"), ("finished", "b", None, {"x": 1, "y": 1})],
        facts=["tool_started a 0", "tool_started b 0", "tool_finished b 0"],
    ),
    Case(
        "outputs are merged in the order of finishing",
        ("a", "b"),
        [("started", "a"), ("started", "b"), ("finished", "b", None, {"x": 1, "y": 1}), ("finished", "a", 0, {"y": 2})],
        {"x": 1, "y": 2},
    ),
    Case(
        "of several that were asked, one that has not started is not waited for",
        ("a", "b"),
        [("started", "a"), ("finished", "a", None, {"x": 1})],
        {"x": 1},
    ),
    Case(
        "one that was asked may start after another has finished",
        ("a", "b", "c"),
        [("started", "a"), ("started", "b"), ("finished", "a"), ("started", "c"), ("finished", "b")],
        facts=["tool_started a 0", "tool_started b 0", "tool_finished a 0", "tool_started c 0", "tool_finished b 0"],
    ),
    Case(
        "one that was not asked joins before the first finish",
        ("a",),
        [("started", "a"), ("started", "guest"), ("finished", "a", None, {"x": 1})],
        facts=["tool_started a 0", "tool_started guest 0", "tool_finished a 0"],
    ),
    Case(
        "one that was not asked joins no more after the first finish",
        ("a", "b"),
        [("started", "a"), ("started", "b"), ("finished", "a"), ("started", "guest"), ("finished", "b")],
        {},
        facts=["tool_started a 0", "tool_started b 0", "tool_finished a 0", "ignored guest 0", "tool_finished b 0"],
    ),
    Case(
        "progress of one that was not asked and has not started is ignored",
        ("a", "b"),
        [("status.changed", "guest", None, {"p": 1})],
        facts=["ignored guest 0"],
    ),
    Case(
        "a double start changes nothing",
        ("a",),
        [("started", "a"), ("started", "a")],
        facts=["tool_started a 0", "ignored a 0"],
    ),
    Case(
        "a double finish changes nothing",
        ("a", "b"),
        [("started", "b"), ("finished", "a", None, {"x": 1}), ("finished", "a", None, FAIL), ("finished", "b")],
        {"x": 1},
        facts=["tool_started b 0", "tool_finished a 0", "ignored a 0", "tool_finished b 0"],
    ),
    Case(
        "a start after the finish of the same tool changes nothing",
        ("a", "b"),
        [("started", "b"), ("finished", "a", 1), ("started", "a", 2), ("finished", "b")],
        {},
        facts=["tool_started b 0", "tool_finished a 1", "ignored a 2", "tool_finished b 0"],
    ),
    Case(
        "a newer lease supersedes the start under an older one",
        ("a",),
        [("started", "a", 1), ("started", "a", 2), ("finished", "a", 1, {"x": 1}), ("finished", "a", 2, {"x": 2})],
        {"x": 2},
        facts=["tool_started a 1", "tool_started a 2", "superseded a 1", "tool_finished a 2"],
    ),
    Case(
        "progress under an older lease is superseded, too",
        ("a",),
        [("started", "a", 2), ("status.changed", "a", 1, {"p": 9}), ("started", "a", 1)],
        facts=["tool_started a 2", "superseded a 1", "superseded a 1"],
    ),
    Case(
        "an answer without a lease is older than any lease",
        ("a",),
        [("started", "a", 1), ("finished", "a", None, {"x": 1})],
        facts=["tool_started a 1", "superseded a 0"],
    ),
    Case(
        "a finish under an older lease counts as long as nobody has started under a newer one",
        ("a",),
        [("started", "a", 1), ("finished", "a", 1, {"x": 1})],
        {"x": 1},
    ),
    Case("a lease may be a text, as in binary mode", ("a",), [("started", "a", "3")], facts=["tool_started a 3"]),
    Case("a lease that is no number is none", ("a",), [("started", "a", "-1")], facts=["tool_started a 0"]),
    Case("the only tool that was asked need not name itself", ("a",), [("started", "")], facts=["tool_started a 0"]),
    Case(
        "of several, one that does not name itself is known by its source",
        ("a", "b"),
        [("started", "")],
        facts=["tool_started /somewhere 0"],
    ),
    Case(
        "a name that is too long is ignored",
        ("a", "b"),
        [("started", "x" * (MAX_NAME_CHARACTERS + 1)), ("started", "y" * MAX_NAME_CHARACTERS)],
        facts=[f"ignored {'x' * (MAX_NAME_CHARACTERS + 1)} 0", f"tool_started {'y' * MAX_NAME_CHARACTERS} 0"],
    ),
    Case("errored fails", ("a",), [("finished", "a", None, {"status": "errored"})], fault="the tool 'a' errored"),
    Case("fail fails", ("a",), [("finished", "a", None, FAIL)], fault="the tool 'a' failed: no prime"),
    Case(
        "errored fails even with the result pass",
        ("a",),
        [("finished", "a", None, {"status": "errored", "result": "pass"})],
        fault="the tool 'a' errored",
    ),
    Case(
        "warning passes, and is told",
        ("a",),
        [("finished", "a", None, {"result": "warning", "message": "hm", "x": 1})],
        {"x": 1, "result": "warning"},
    ),
    Case(
        "unknown fails, whatever the result",
        ("a",),
        [("finished", "a", None, {"status": "unknown", "result": "pass"})],
        fault="the tool 'a' failed: it does not know how it ended",
    ),
    Case(
        "what no tool said is not in the output",
        ("a",),
        [("finished", "a", None, {"status": "succeeded"})],
        {"status": "succeeded"},
    ),
    Case(
        "the worst status and result are those of the task",
        ("a", "b"),
        [
            ("started", "b"),
            ("finished", "a", None, {"status": "succeeded", "result": "pass"}),
            ("finished", "b", None, {"result": "warning"}),
        ],
        {"status": "succeeded", "result": "warning"},
    ),
    Case(
        "the worst wins, whoever finishes last",
        ("a", "b"),
        [("started", "b"), ("finished", "a", None, FAIL), ("finished", "b", None, {"x": 1})],
        fault="the tool 'a' failed: no prime",
    ),
    Case(
        "a status that does not exist is unknown",
        ("a",),
        [("finished", "a", None, {"status": "great"})],
        fault="the tool 'a' failed: it finished with a status that does not exist: 'great'",
    ),
    Case(
        "a result that does not exist fails",
        ("a",),
        [("finished", "a", None, {"result": [1]})],
        fault="the tool 'a' failed: it finished with a result that does not exist: no text",
    ),
    Case(
        "data that is no object is an error of the tool",
        ("a",),
        [("finished", "a", None, [1])],
        fault="the tool 'a' errored: it finished with data that is no object",
    ),
    Case(
        "an output beyond the limit is an error of the tool",
        ("a",),
        [("finished", "a", None, {"x": "x" * MAX_VALUE_BYTES})],
        fault=f"the tool 'a' errored: tool: the value has {MAX_VALUE_BYTES + 8} bytes, the limit is {MAX_VALUE_BYTES}",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_rule(case: Case) -> None:
    run = offered(*case.tools)
    for what, *rest in case.said:
        assert not run.live.ended
        say(run, what, *rest)
    if case.facts:
        assert told(run) == case.facts
    if case.fault:
        assert run.live.error is not None
        assert (run.live.error.type, run.live.error.detail) == (RUNTIME, case.fault)
        assert not run.live.error.unknown_outcome
    elif case.output is OPEN:
        assert run.live.status == "running" and work(run) is not None
    else:
        assert run.output == case.output
    assert run.replayed() == run.encoded()


def of(run: Run, *types: type[Any]) -> list[Command]:
    return [command for command in run.commands if isinstance(command, types)]


# The offer


def test_an_offer_is_a_row_an_event_and_a_subscription_and_no_call_any_more() -> None:
    run = offered("a", "b", "a", pushed=("b", "stranger"), prefix="sh.keptn.event.")
    (invoke,) = run.calls()
    (command,) = offers(run)
    assert (command.tools, command.pushed, command.token) == (("a", "b"), ("b",), 0)
    assert (command.call_id, command.deadline_at) == (invoke.call_id, run.at + TOTAL_MS)
    assert command.event.data == {
        "specversion": "1.0",
        "id": invoke.call_id,
        "source": f"/penstock/runs/{RUN_ID}",
        "type": "sh.keptn.event.checknumber.triggered",
        "subject": "/do/0/check",
        "time": rfc3339(run.at),
        "datacontenttype": "application/json",
        "penstockrun": RUN_ID,
        "penstockdeadline": rfc3339(run.at + TOTAL_MS),
        "data": {"n": 7},
    }
    (subscribe,) = of(run, Subscribe)
    assert subscribe == Subscribe(1, 0, TASK_TOPIC.topic, correlation_key({"with/triggeredid": invoke.call_id}))
    assert run.live.calls == () and run.live.status == "running"
    assert run.live.next_at == run.at + START_MS
    assert run.happened("task.offered") == ["task.offered check"]


def test_the_key_of_an_answer_is_the_key_under_which_the_task_is_found() -> None:
    run = offered("a")
    event: dict[str, Json] = {"type": "anything", "triggeredid": offers(run)[0].call_id}
    assert TASK_TOPIC.admits(event)
    keys = TASK_TOPIC.keys(event, {})
    assert keys is not None
    assert correlation_key({name: value.data for name, value in keys.items()}) == key(run)
    assert not TASK_TOPIC.admits({"type": "anything"})
    assert not TASK_TOPIC.admits({"type": "anything", "triggeredid": 5})
    assert not TASK_TOPIC.admits({"type": "anything", "triggeredid": ""})


def test_an_offer_of_what_is_over_or_offered_or_no_capability_is_stale() -> None:
    run = offered("a")
    call_id = offers(run)[0].call_id
    http = given([{"h": {"call": "http", "with": {"method": "get", "endpoint": "http://x.test"}}}]).start()
    done = calling().answer({"x": 1})
    for one, known in (
        (run, call_id),
        (run, "nobody"),
        (http, http.calls()[0].call_id),
        (done, done.calls()[0].call_id),
    ):
        version = one.live.version
        one.send(CallOffered(at=one.at, call_id=known, capability="c", tools=("a",), start_by=0))
        assert one.live.version == version


def test_an_answer_in_the_call_itself_is_stale_once_it_is_offered() -> None:
    run = offered("a")
    version = run.live.version
    run.send(CallFinished(at=run.at, call_id=offers(run)[0].call_id, output=Value(1)))
    assert run.live.version == version and work(run) is not None


def test_an_input_that_names_a_secret_is_refused_since_events_are_stored_and_shown() -> None:
    run = given([{"c": {"call": "checknumber", "with": {"k": "${ $secrets.key }"}}}], use={"secrets": ["key"]}).start()
    offer(run, "a")
    assert run.live.error is not None and run.live.error.type == CONFIGURATION
    assert "$secrets" in run.live.error.detail
    assert not offers(run)


@pytest.mark.parametrize("count", [MAX_OFFERED_TOOLS, MAX_OFFERED_TOOLS + 1])
def test_a_task_is_offered_to_so_many_tools_at_most(count: int) -> None:
    run = offered(*(f"t{i}" for i in range(count)))
    assert run.live.ended == (count > MAX_OFFERED_TOOLS)


# Deadlines


def test_nobody_started_in_time() -> None:
    run = offered("a", "b").later(START_MS - 1)
    assert work(run) is not None
    run.later(1)
    error = run.live.error
    assert error is not None and error.type == TIMEOUT and error.unknown_outcome
    assert error.detail == f"nobody started 'checknumber' by {rfc3339(run.at)}; asked: 'a', 'b'"


@pytest.mark.parametrize("what", ["started", "status.changed"])
def test_only_a_start_ends_the_wait_for_a_start(what: str) -> None:
    run = say(offered("a"), what, "a").later(START_MS)
    assert run.live.ended == (what == "status.changed")
    if not run.live.ended:
        assert run.live.next_at == run.at - START_MS + TOTAL_MS


def test_the_total_deadline_strikes_whoever_has_started() -> None:
    run = say(offered("a"), "started", "a").later(TOTAL_MS)
    assert run.live.error is not None and run.live.error.type == TIMEOUT
    assert [event["type"] for event in published(run)] == ["checknumber.cancelled"]


def test_without_a_deadline_for_the_start_the_total_one_holds_and_a_later_one_is_cut_to_it() -> None:
    assert offered("a", start_by=0).live.next_at == offered("a").at + TOTAL_MS
    late = offered("a", start_by=10**17)
    assert late.live.next_at == late.at + TOTAL_MS


def test_one_that_was_not_asked_may_not_start_after_the_deadline_but_one_that_was_may() -> None:
    run = say(offered("a", "b"), "started", "a")
    run.at += START_MS + 1
    say(say(run, "started", "guest"), "started", "b")
    assert told(run) == ["tool_started a 0", "ignored guest 0", "tool_started b 0"]


# The end


def test_what_the_tools_finished_is_withdrawn_without_a_word_to_them() -> None:
    run = say(offered("a"), "finished", "a", None, {"x": 1})
    call_id = offers(run)[0].call_id
    assert of(run, Withdraw, Unsubscribe) == [Withdraw(call_id), Unsubscribe(1)]
    assert not of(run, PublishEvent, CancelCall)


def test_a_tool_that_has_finished_before_others_gets_the_work_no_more() -> None:
    run = say(say(offered("a", "b"), "started", "b"), "started", "guest")
    say(say(run, "finished", "guest"), "finished", "b")
    assert not of(run, Withdraw)[1:] and run.live.ended
    run = say(say(offered("a", "b"), "started", "b"), "finished", "a")
    assert of(run, Withdraw) == [Withdraw(offers(run)[0].call_id, "a")]


@pytest.mark.parametrize("how", ["cancelled", "timed out", "lost a race"])
def test_a_task_that_is_left_unfinished_is_withdrawn_and_its_tools_are_told(how: str) -> None:
    if how == "lost a race":
        branches = [{"call": {"call": "checknumber"}}, {"wait": {"wait": {"seconds": 1}}}]
        run = offer(given([{"race": {"fork": {"compete": True, "branches": branches}}}]).start(), "a").later(1000)
        assert run.live.status == "completed"
    else:
        run = say(offered("a"), "started", "a")
        run = run.send(CancelRequested(at=run.at)) if how == "cancelled" else run.later(TOTAL_MS)
    (invoke,) = run.calls()
    (subscribe,) = of(run, Subscribe)
    assert isinstance(subscribe, Subscribe)
    assert of(run, Withdraw, Unsubscribe) == [Withdraw(invoke.call_id), Unsubscribe(subscribe.entry)]
    (event,) = published(run)
    assert event["type"] == "checknumber.cancelled" and event["triggeredid"] == invoke.call_id
    assert event["id"] != invoke.call_id and event["source"] == f"/penstock/runs/{RUN_ID}"
    assert run.live.ended


def test_after_the_end_answers_are_stale() -> None:
    run = given([{"c": {"call": "checknumber"}}, {"w": {"wait": {"seconds": 1}}}]).start()
    say(offer(run, "a"), "finished", "a", None, {"x": 1})
    version, before = run.live.version, len(run.facts)
    say(say(run, "finished", "a", None, FAIL), "started", "b")
    assert (run.live.version, len(run.facts)) == (version, before)


def test_the_output_goes_through_the_data_flow_like_that_of_any_call() -> None:
    run = given([{"c": {"call": "checknumber", "output": {"as": "${ .x }"}}}]).start()
    assert say(offer(run, "a"), "finished", "a", None, {"x": [1]}).output == [1]


# Suspended


def test_while_suspended_offers_and_answers_are_applied_and_nothing_goes_on() -> None:
    run = calling().send(SuspendRequested(at=0))
    offer(run, "a")
    assert len(offers(run)) == 1 and run.live.next_at is None
    say(say(run, "started", "a"), "finished", "a", None, {"x": 1})
    assert run.live.status == "suspended" and work(run) is None
    assert run.send(ResumeRequested(at=run.at)).output == {"x": 1}


def test_a_failure_while_suspended_takes_effect_when_the_run_is_resumed() -> None:
    run = offered("a").send(SuspendRequested(at=0))
    say(run, "finished", "a", None, FAIL)
    assert run.live.status == "suspended"
    run.send(ResumeRequested(at=run.at))
    assert run.live.error is not None and run.live.error.title == "Tool failed"
    assert of(run, Withdraw, Unsubscribe, PublishEvent) == [Withdraw(offers(run)[0].call_id), Unsubscribe(1)]


def test_the_wait_for_a_start_that_ended_while_suspended_ends_the_task_when_it_is_resumed() -> None:
    run = offered("a").send(SuspendRequested(at=0)).later(START_MS)
    assert not run.live.ended
    run.send(ResumeRequested(at=run.at)).later(0)
    assert run.live.error is not None and run.live.error.type == TIMEOUT


# Trying again


def test_what_nobody_started_is_offered_again_as_the_same_event_and_above_all_leases_before() -> None:
    run = offer(calling(retries=1), "a").later(START_MS).later(1000)
    offer(run, "b")
    first, second = offers(run)
    assert (first.call_id, first.event.data["id"]) == (second.call_id, second.event.data["id"])
    assert first.token == 0 and second.token == (run.live.version - 1) * LEASES_PER_OFFER
    say(run, "finished", "b", second.token + 1, {"x": 1})
    assert run.output == {"x": 1}


def test_an_answer_to_the_first_offer_counts_until_somebody_started_under_the_second() -> None:
    for second_starts in (False, True):
        run = say(offer(calling(retries=1), "a"), "status.changed", "a", 1).later(START_MS).later(1000)
        offer(run, "a")
        if second_starts:
            say(run, "started", "a", offers(run)[1].token + 1)
        say(run, "finished", "a", 1, {"x": 1})
        assert run.live.ended is not second_starts


def test_what_a_tool_failed_is_offered_again_as_a_new_event() -> None:
    run = say(offer(calling(retries=1), "a"), "finished", "a", None, FAIL).later(1000)
    offer(run, "a")
    first, second = offers(run)
    assert first.call_id != second.call_id and second.token == 0
    assert [invoke.call_id for invoke in run.calls()] == [first.call_id, second.call_id]


# Limits


def test_progress_beyond_the_limits_only_shows_that_the_task_lives() -> None:
    run = offered("a")
    say(run, "status.changed", "a", None, "x" * (MAX_PROGRESS_BYTES - 2))
    say(run, "status.changed", "a", None, "x" * (MAX_PROGRESS_BYTES - 1))
    first, second = (fact.detail for fact in run.facts if fact.type == "task.progress")
    assert first["data"] and second["bytes"] == MAX_PROGRESS_BYTES + 1 and "data" not in second
    for _ in range(MAX_PROGRESS_FACTS):
        run.at += 1
        say(run, "status.changed", "a", None, {"p": 1})
    assert len([fact for fact in run.facts if fact.type == "task.progress"]) == MAX_PROGRESS_FACTS
    current = work(run)
    assert current is not None and (current.heard_at, current.progress) == (run.at, MAX_PROGRESS_FACTS)


def test_ignored_answers_beyond_the_limit_are_not_in_the_history() -> None:
    run = say(offered("a"), "started", "a")
    for _ in range(MAX_IGNORED_FACTS + 3):
        say(run, "started", "a")
    assert len([fact for fact in run.facts if fact.type == "task.ignored"]) == MAX_IGNORED_FACTS


def test_so_many_tools_have_started_at_most_when_one_that_was_not_asked_joins() -> None:
    run = offered("a")
    for number in range(MAX_PARTICIPANTS + 1):
        say(run, "started", f"guest{number}")
    current = work(run)
    assert current is not None and len(current.participants) == MAX_PARTICIPANTS
    assert told(run)[-1] == f"ignored guest{MAX_PARTICIPANTS} 0"
    assert told(say(run, "started", "a"))[-1] == "tool_started a 0", "one that was asked always may"


# What else may come


@pytest.mark.parametrize(
    "event",
    [
        {"type": "checknumber.triggered"},
        {"type": "checknumber.cancelled"},
        {"type": 5},
        {"type": "checknumber.finished", "triggeredid": "somebody else"},
        {"type": "checknumber.finished", "triggeredid": None},
        {},
        [],
        None,
    ],
)
def test_an_event_that_is_no_answer_to_this_task_is_stale(event: Json) -> None:
    run = offered("a")
    version = run.live.version
    known: dict[str, Json] = {"triggeredid": offers(run)[0].call_id}
    deliver(run, {**known, **event} if isinstance(event, dict) else event)
    assert run.live.version == version


def test_an_event_may_answer_a_task_and_meet_a_listener_of_the_same_run() -> None:
    listen = {"listen": {"to": {"one": {"with": {"type": "checknumber.finished"}}}}}
    branches = [{"call": {"call": "checknumber"}}, {"listen": listen}]
    run = offer(given([{"both": {"fork": {"branches": branches}}}]).start(), "a")
    event: dict[str, Json] = {
        "type": "checknumber.finished",
        "triggeredid": offers(run)[0].call_id,
        "data": {"x": 1},
    }
    entries = [command.entry for command in of(run, Subscribe) if isinstance(command, Subscribe)]
    matches = tuple(EventMatch(entry, 0) for entry in entries)
    run.send(EventArrived(at=run.at, event=Value(event), matches=matches))
    assert run.output == [{"x": 1}, [{"x": 1}]]


def test_every_fact_about_tools_is_an_event_of_the_history() -> None:
    run = say(say(say(offered("a"), "started", "a", 1), "status.changed", "a", 1, {"p": 1}), "started", "a", 2)
    say(say(say(run, "finished", "a", 1), "started", "a", 2), "finished", "a", 2, {"result": "warning"})
    identity = run.program.identity
    events = [to_cloudevent(f, run_id=RUN_ID, workflow=identity, seq=1, index=i) for i, f in enumerate(run.facts)]
    shown = {event["type"]: event["data"].get("detail") for event in events if event["type"].startswith("dev.penstock")}
    assert shown == {
        "dev.penstock.task.offered.v1": {
            "capability": "checknumber",
            "tools": ["a"],
            "call": offers(run)[0].call_id,
            "start_by": rfc3339(run.at + START_MS),
        },
        "dev.penstock.task.tool_started.v1": {"tool": "a", "token": 2, "supersedes": 1},
        "dev.penstock.task.progress.v1": {"tool": "a", "token": 1, "data": {"p": 1}},
        "dev.penstock.task.superseded.v1": {
            "tool": "a",
            "token": 1,
            "said": "finished",
            "reason": "lease 1 was superseded by lease 2",
        },
        "dev.penstock.task.ignored.v1": {
            "tool": "a",
            "token": 2,
            "said": "started",
            "reason": "the tool has started already",
        },
        "dev.penstock.task.tool_finished.v1": {"tool": "a", "token": 2, "status": "succeeded", "result": "warning"},
    }


def test_offers_and_calls_are_told_apart() -> None:
    run = calling()
    assert of(run, Invoke) and not of(run, Offer)
    assert offer(run, "a").live.calls == ()
