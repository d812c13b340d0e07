"""Every task kind, told as sentences: given a document, when these messages come, then this."""

import pytest

from penstock.errors import COMMUNICATION, Fault
from penstock.kernel.commands import CancelCall, PublishEvent, SendMessage, Subscribe, Unsubscribe
from penstock.kernel.messages import (
    CancelRequested,
    ChildFinished,
    EventArrived,
    EventMatch,
    ResumeRequested,
    Started,
    SuspendRequested,
)
from penstock.kernel.values import Value
from tests.kernel.world import given

BROKEN = Fault(COMMUNICATION, 503, "Service unavailable")


def test_set_replaces_expressions_by_their_values() -> None:
    run = given("- a: {set: {x: '${ .n + 1 }', y: [1, '${ .n }']}}").start({"n": 1})
    assert run.live.status == "completed"
    assert run.output == {"x": 2, "y": [1, 1]}


def test_an_expression_outside_the_native_subset_is_asked_for_and_then_used() -> None:
    run = given("- a: {set: {x: '${ [limit(2; .[])] }'}}").start([1, 2, 3])
    assert run.output == {"x": [1, 2]}
    assert run.rounds == 1


def test_then_jumps_and_end_ends() -> None:
    run = given(
        "- one: {set: {v: 30}, then: three}\n- two: {set: {skipped: true}}\n"
        "- three: {set: {r: '${ .v * 3 }'}, then: end}\n- four: {set: {no: 1}}"
    ).start({})
    assert run.output == {"r": 90}
    assert run.happened("task.completed") == ["task.completed one", "task.completed three"]


def test_a_false_condition_skips_and_honours_then() -> None:
    run = given("- a: {if: .no, set: {x: 1}, then: c}\n- b: {set: {y: 1}}\n- c: {set: {z: '${ . }'}}").start({"k": 1})
    assert run.output == {"z": {"k": 1}}
    assert "task.skipped a" in run.happened()


def test_switch_takes_the_first_match_then_the_default_then_its_own_then() -> None:
    text = (
        "- s: {switch: [{d: {then: other}}, {a: {when: '.c == 1', then: one}}, {b: {when: '.c < 3', then: two}}]}\n"
        "- one: {set: {r: 1}, then: end}\n- two: {set: {r: 2}, then: end}\n- other: {set: {r: 0}}"
    )
    assert [given(text).start({"c": c}).output for c in (1, 2, 5)] == [{"r": 1}, {"r": 2}, {"r": 0}]


def test_for_hands_the_output_of_one_iteration_to_the_next() -> None:
    run = given(
        "- l: {for: {each: c, in: .colors, at: i}, while: '$i < 2',"
        " do: [{m: {set: {p: '${ .p + [$c] }', i: '${ $i }'}}}]}"
    ).start({"colors": ["red", "green", "blue"]})
    assert run.output == {"p": ["red", "green"], "i": 1}


def test_an_empty_for_gives_its_input() -> None:
    assert given("- l: {for: {in: '[]'}, do: [{m: {set: {x: 1}}}]}").start({"k": 1}).output == {"k": 1}


def test_exit_in_a_loop_leaves_the_iteration_only() -> None:
    run = given(
        "- l: {for: {in: '[1, 2]'}, do: [{m: {set: {n: '${ .n + $item }'}, then: exit}}, {x: {set: {n: 99}}}]}"
    ).start({"n": 0})
    assert run.output == {"n": 3}


def test_fork_gives_outputs_in_declaration_order_and_merges_contexts() -> None:
    run = given(
        "- f: {fork: {branches: [{a: {do: [{w: {wait: PT1S}}, {x: {set: {v: 1}, export: {as: '${ {a: 1} }'}}}]}},"
        " {b: {set: {v: 2}, export: {as: '${ {b: 2} }'}}}]}}\n- c: {set: {o: '${ . }', c: '${ $context }'}}"
    ).start({})
    assert run.live.status == "waiting"
    run.later(1000)
    assert run.output == {"o": [{"v": 1}, {"v": 2}], "c": {"a": 1, "b": 2}}


def test_competing_branches_have_one_winner_and_the_others_are_cancelled() -> None:
    run = given("- f: {fork: {compete: true, branches: [{a: {wait: PT1H}}, {b: {set: {v: 2}}}]}}").start({})
    assert run.output == {"v": 2}
    assert "task.cancelled a" in run.happened()


def test_a_failing_branch_fails_the_fork_and_withdraws_the_others_calls() -> None:
    run = given(
        "- f: {fork: {branches: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/'}}},"
        " {b: {raise: {error: {type: 'https://e.test/x', status: 418}}}}]}}"
    ).start({})
    assert run.live.status == "faulted"
    assert run.live.error is not None and run.live.error.instance == "/do/0/f/fork/branches/1/b"
    assert any(isinstance(command, CancelCall) for command in run.commands)


def test_raise_fills_in_the_instance() -> None:
    run = given("- r: {raise: {error: {type: 'https://e.test/x', status: 400, detail: '${ .why }'}}}").start(
        {"why": "no"}
    )
    assert run.live.error is not None
    assert run.live.error.as_json() == {
        "type": "https://e.test/x",
        "status": 400,
        "title": "",
        "detail": "no",
        "instance": "/do/0/r",
    }


def test_wait_sleeps_exactly_as_long_as_it_says() -> None:
    run = given("- w: {wait: {seconds: 5}}\n- s: {set: {done: true}}").start({})
    assert run.live.status == "waiting"
    assert run.live.next_at == run.at + 5000
    assert run.later(4999).live.status == "waiting"
    assert run.later(1).output == {"done": True}


def test_emit_publishes_and_gives_the_event() -> None:
    run = given("- e: {emit: {event: {with: {type: com.x.v1, data: {n: '${ .n }'}}}}}").start({"n": 3})
    published = [command for command in run.commands if isinstance(command, PublishEvent)]
    assert published[0].event.data == run.output
    assert run.output["data"] == {"n": 3}
    assert run.output["source"] == "/tests/given/1.0.0"


def test_a_call_is_durable_intent_and_its_answer_the_output() -> None:
    run = given(
        "- c: {call: http, with: {method: get, endpoint: 'http://x.test/pets/{id}?s={s}', headers: {A: '${ .s }'}}}"
    ).start({"id": "a b", "s": "x"})
    call = run.live.calls[0]
    assert call.arguments.data["uri"] == "http://x.test/pets/a%20b?s=x"
    assert call.arguments.data["headers"] == {"A": "x"}
    assert run.live.status == "running"
    assert run.answer({"ok": 1}).output == {"ok": 1}
    assert run.answer({"ok": 2}, call=call).live.version == 2


def test_a_call_times_out_at_its_own_deadline() -> None:
    run = given("- c: {call: http, with: {method: get, endpoint: 'http://x.test/'}, timeout: {after: PT2S}}").start({})
    run.later(2000)
    assert run.live.error is not None
    assert (run.live.error.status, run.live.error.instance) == (408, "/do/0/c")
    assert isinstance(run.commands[-1], CancelCall)


def test_secrets_stay_out_of_the_command() -> None:
    run = given(
        "- c: {call: http, with: {method: get, endpoint: 'http://x.test/', headers: {A: '${ \"k \" + $secrets.s }'}}}",
        use={"secrets": ["s"]},
    ).start({})
    call = run.live.calls[0]
    assert call.arguments.data["headers"] == {"A": None}
    assert [(d.pointer, d.expression) for d in call.deferred] == [("/headers/A", '"k " + $secrets.s')]


def test_try_retries_with_a_growing_delay_and_then_succeeds() -> None:
    run = given(
        "- t: {try: [{c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}],"
        " catch: {retry: {delay: PT1S, backoff: {exponential: {}}, limit: {attempt: {count: 3}}}}}"
    ).start({})
    run.answer(fault=BROKEN)
    assert run.live.next_at == run.at + 1000
    run.later(1000).answer(fault=BROKEN)
    assert run.live.next_at == run.at + 2000
    run.later(2000).answer({"ok": 1})
    assert run.output == {"ok": 1}
    assert len({call.call_id for call in run.calls()}) == 3


def test_an_unknown_outcome_is_tried_again_under_the_same_key() -> None:
    run = given(
        "- t: {try: [{c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}],"
        " catch: {retry: {delay: PT1S}}}"
    ).start({})
    run.answer(fault=Fault(COMMUNICATION, 500, "Connection lost", unknown_outcome=True)).later(1000)
    assert len({call.call_id for call in run.calls()}) == 1
    assert len(run.calls()) == 2


def test_exhausted_retries_run_the_handler_once_or_keep_the_error() -> None:
    retry = {"delay": "PT1S", "limit": {"attempt": {"count": 1}}}
    boom = {"boom": {"raise": {"error": {"type": "https://e.test/x", "status": 500, "detail": "d"}}}}
    kept = given([{"t": {"try": [boom], "catch": {"retry": retry}}}]).start({}).later(1000)
    assert kept.live.error is not None and kept.live.error.detail == "d"
    handler = [{"h": {"set": {"status": "${ $err.status }"}}}]
    handled = given([{"t": {"try": [boom], "catch": {"as": "err", "retry": retry, "do": handler}}}]).start({})
    assert handled.later(1000).output == {"status": 500}


@pytest.mark.parametrize(
    "type_",
    [
        "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        "https://serverlessworkflow.io/dsl/errors/types/communication",
        "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
    ],
)
def test_a_standard_error_is_caught_by_every_spelling(type_: str) -> None:
    run = given(
        [
            {
                "t": {
                    "try": [{"c": {"call": "http", "with": {"method": "get", "endpoint": "http://x.test/"}}}],
                    "catch": {"errors": {"with": {"type": type_, "status": 503}}},
                }
            }
        ]
    ).start({"k": 1})
    assert run.answer(fault=BROKEN).output == {"k": 1}


def test_catch_then_overrides_the_tasks_then() -> None:
    run = given(
        "- t: {try: [{b: {raise: {error: {type: 'https://e.test/x', status: 500}}}}],"
        " catch: {do: [{m: {set: {p: 1}}}], then: bad}, then: good}\n"
        "- good: {set: {p: 2}, then: end}\n- bad: {set: {p: '${ .p + 10 }'}}"
    ).start({})
    assert run.output == {"p": 11}


def test_a_run_starts_another_and_takes_its_output() -> None:
    run = given("- r: {run: {workflow: {namespace: n, name: w, version: 1.0.0, input: {a: '${ .x }'}}}}").start(
        {"x": 1}
    )
    sent = [command for command in run.commands if isinstance(command, SendMessage)]
    started = sent[0].message
    assert isinstance(started, Started) and started.input.data == {"a": 1}
    assert started.parent is not None
    run.send(ChildFinished(at=run.at, child_id=started.run_id, entry=started.parent.entry, output=Value({"done": 1})))
    assert run.output == {"done": 1}


def test_await_false_goes_on_at_once() -> None:
    run = given("- r: {run: {workflow: {namespace: n, name: w, version: 1.0.0}, await: false}}").start({"x": 1})
    assert run.output == {"x": 1}


def event(type_: str, data: object = None) -> dict[str, object]:
    return {"specversion": "1.0", "id": "1", "source": "s", "type": type_, "data": data}


def test_listen_to_all_waits_for_each_filter_in_any_order() -> None:
    run = given("- l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}}").start({})
    assert [c.filter for c in run.commands if isinstance(c, Subscribe)] == [0, 1]
    run.event(event("b", 2), (1, 1)).event(event("b", 3), (1, 1))
    assert run.live.status == "waiting"
    assert run.event(event("a", 1), (1, 0)).output == [2, 1]
    assert any(isinstance(command, Unsubscribe) for command in run.commands)


def test_listen_until_a_condition_on_what_was_consumed() -> None:
    run = given("- l: {listen: {to: {any: [{with: {type: a}}], until: '( . | length ) >= 2'}}}").start({})
    run.event(event("a", 1), (1, 0))
    assert run.live.status == "waiting"
    assert run.event(event("a", 2), (1, 0)).output == [1, 2]


def test_listen_until_another_event_leaves_that_one_out() -> None:
    run = given("- l: {listen: {to: {any: [{with: {type: a}}], until: {one: {with: {type: z}}}}}}").start({})
    run.event(event("a", 1), (1, 0)).event(event("z", 9), (1, 1))
    assert run.output == [1]


def test_foreach_processes_events_one_at_a_time() -> None:
    run = given(
        "- l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}, foreach: {item: e, at: i,"
        " do: [{w: {wait: PT1S}}, {s: {set: {v: '${ $e }', i: '${ $i }'}}}], output: {as: .v}}}"
    ).start({})
    run.event(event("a", 1), (1, 0)).event(event("b", 2), (1, 1))
    run.later(1000)
    assert run.live.status == "waiting"
    assert run.later(1000).output == [1, 2]


def test_suspended_runs_keep_answers_and_go_on_when_resumed() -> None:
    run = given("- c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}\n- s: {set: {r: '${ . }'}}").start(
        {}
    )
    run.send(SuspendRequested(at=run.at))
    run.answer(7)
    assert run.live.status == "suspended"
    assert run.live.next_at is None
    assert run.send(ResumeRequested(at=run.at)).output == {"r": 7}


def test_cancel_withdraws_everything_and_nothing_moves_the_run_again() -> None:
    run = given("- c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}").start({})
    call = run.live.calls[0]
    run.send(CancelRequested(at=run.at))
    assert run.live.status == "cancelled"
    assert run.happened()[-2:] == ["task.cancelled c", "run.cancelled"]
    version = run.live.version
    assert run.answer(1, call=call).live.version == version


def test_a_workflow_timeout_faults_the_run() -> None:
    run = given("- w: {wait: PT1H}", timeout={"after": "PT1S"}).start({}).later(1000)
    assert run.live.error is not None and run.live.error.status == 408


def test_functions_run_inside_the_call() -> None:
    run = given(
        "- c: {call: greet, with: {name: '${ .who }'}}",
        use={"functions": {"greet": {"set": {"g": '${ "Hi " + .name }'}}}},
    ).start({"who": "Zed"})
    assert run.output == {"g": "Hi Zed"}


def test_a_thousand_tasks_are_one_step_and_a_long_loop_gives_way() -> None:
    many = given([{f"t{i}": {"set": {"n": i}}} for i in range(1000)]).start({})
    assert many.live.status == "completed" and many.live.version == 1
    loop = given("- l: {for: {in: '[range(5000)]'}, do: [{s: {set: {n: '${ $item }'}}}]}").start({})
    assert loop.live.status == "running" and loop.live.runnable


def test_the_journal_rebuilds_the_state_byte_for_byte() -> None:
    run = given(
        "- f: {fork: {branches: [{a: {do: [{x: {set: {v: '${ [.k[] | . + 1] }'}}}, {w: {wait: PT1S}}]}},"
        " {b: {do: [{y: {set: {v: '${ [.k[] | . * 2] }'}, output: {as: '${ [.v[]] }'}}}, {z: {wait: PT2S}}]}}]}}\n"
        "- big: {set: {t: '${ [range(3000)] }'}}"
    ).start({"k": [1, 2]})
    assert run.replayed() == run.encoded()
    run.later(1000).later(1000)
    assert run.live.status == "completed"
    assert run.replayed() == run.encoded()


def test_tasks_nested_as_deep_as_functions_go_end_without_exhausting_the_stack() -> None:
    inner: object = {"call": "again"}
    for _ in range(20):
        inner = {"do": [{"d": inner}]}
    run = given([{"c": {"call": "again"}}], use={"functions": {"again": inner}}).start({})
    assert run.live.error is not None
    assert "deep" in run.live.error.detail


def test_a_wait_that_ends_before_its_timeout_is_no_timeout_however_late_the_timer_comes() -> None:
    run = given("- w: {wait: PT2S, timeout: {after: PT5S}}\n- s: {set: {x: 1}}").start({})
    assert run.later(60_000).output == {"x": 1}


def test_the_fact_that_a_correlation_is_complete_names_its_keys() -> None:
    correlate = {"order": {"from": ".data.id", "expect": "${ .id }"}}
    run = given([{"l": {"listen": {"to": {"one": {"with": {"type": "a"}, "correlate": correlate}}}}}]).start({"id": 7})
    match = EventMatch(1, 0, {"order": Value(7)})
    run.send(EventArrived(at=run.at, event=Value(event("a", {"id": 7})), matches=(match,)))
    assert [fact.detail for fact in run.facts if fact.type == "run.correlation-completed"] == [{"order": 7}]
