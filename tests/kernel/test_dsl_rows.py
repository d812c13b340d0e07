"""Where the DSL is silent or runtimes disagree, what Penstock decided: one test per question (docs/dsl-decisions.md).

The numbers are those of the table of ambiguities that the decisions were taken from. Rows about constructs that are
refused, and rows about what only a network shows, are not here.
"""

import pytest

from penstock.errors import COMMUNICATION, EXPRESSION, VALIDATION, Fault
from penstock.kernel.commands import SendMessage, Subscribe
from penstock.kernel.facts import Fact
from penstock.kernel.lifecycle import to_cloudevent
from penstock.kernel.messages import Started
from penstock.model import load_data
from penstock.model.json_value import Json
from penstock.model.source import read_source
from penstock.model.workflow import WorkflowIdentity
from penstock.notations.check import check_workflow
from penstock.tools.http_client import HttpResponse
from penstock.tools.http_output import output_of
from penstock.tools.http_request import HttpRequest, build_request
from tests.kernel.world import RUN_ID, Run, given

BOOM = "raise: {error: {type: 'https://e.test/boom', status: 418, title: Boom, detail: why}}"


def outcome(do: str, input_: Json = None, **members: Json) -> Json:
    """The output of a run that waits for nothing."""
    return given(do, **members).start(input_).output


def error_of(run: Run) -> Fault:
    assert run.live.error is not None, run.live
    return run.live.error


def findings(do: str) -> list[str]:
    """The codes of what loading and checking a workflow finds."""
    document = {"dsl": "1.0.3", "namespace": "tests", "name": "rows", "version": "1.0.0"}
    loaded = load_data({"document": document, "do": read_source(do, name="rows").data})
    return [found.code for found in (*loaded.diagnostics, *check_workflow(loaded))]


def delays(run: Run) -> list[int]:
    """How long the run waits each time, until it ends."""
    found: list[int] = []
    while not run.live.ended:
        assert run.live.next_at is not None
        found.append(run.live.next_at - run.at)
        run.later(found[-1])
    return found


@pytest.mark.parametrize(
    "base",
    [
        "https://serverlessworkflow.io/dsl/errors/types/",
        "https://serverlessworkflow.io/spec/1.0.0/errors/",
        "https://open-workflow-specification.org/spec/1.0.0/errors/",
    ],
)
def test_row_01_every_spelling_of_a_standard_error_type_is_the_same(base: str) -> None:
    run = given(
        "- t: {try: [{c: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}], catch: {errors: {with:"
        f" {{type: {base}communication}}}}, do: [{{h: {{set: {{type: '${{ $error.type }}'}}}}}}]}}}}"
    ).start({})
    assert run.answer(fault=Fault(COMMUNICATION, 404, "Not found")).output == {"type": COMMUNICATION}


def test_row_02_a_fork_gives_an_array_in_the_order_of_declaration() -> None:
    run = given("- f: {fork: {branches: [{slow: {wait: PT1S}}, {fast: {set: {v: 2}}}]}}").start({"v": 1})
    assert run.later(1000).output == [{"v": 1}, {"v": 2}]


@pytest.mark.parametrize("compete", ["", "compete: true, "])
def test_row_03_a_branch_that_fails_first_fails_the_fork(compete: str) -> None:
    run = given(f"- f: {{fork: {{{compete}branches: [{{a: {{wait: PT5S}}}}, {{b: {{{BOOM}}}}}]}}}}").start({})
    assert error_of(run).instance == "/do/0/f/fork/branches/1/b"
    assert "task.cancelled a" in run.happened()


def test_row_03_the_branch_that_ends_first_wins_and_the_others_are_cancelled() -> None:
    run = given("- f: {fork: {compete: true, branches: [{a: {wait: PT5S}}, {b: {set: {won: b}}}]}}").start({})
    assert run.output == {"won": "b"}
    assert "task.cancelled a" in run.happened()


def test_row_04_each_branch_has_a_copy_of_the_context_and_changes_are_merged() -> None:
    assert outcome(
        "- s: {set: {x: 1}, export: {as: {kept: 1, changed: 1}}}\n"
        "- f: {fork: {branches: [{a: {set: {x: 1}, export: {as: '${ $context + {changed: true} }'}}},"
        " {b: {set: {seen: '${ $context }'}, export: {as: '${ $context + {b: 2} }'}}}]}}\n"
        "- c: {set: {seen: '${ .[1].seen }', now: '${ $context }'}}"
    ) == {"seen": {"kept": 1, "changed": 1}, "now": {"kept": 1, "changed": True, "b": 2}}


def test_row_05_the_output_of_emit_is_the_event() -> None:
    assert (
        outcome("- e: {emit: {event: {with: {type: t, data: 5}}}, output: {as: '${ [.type, .data, .specversion] }'}}")
    ) == ["t", 5, "1.0"]


def test_row_06_catch_do_runs_once_when_no_retry_is_left() -> None:
    run = given(
        f"- t: {{try: [{{b: {{{BOOM}}}}}],"
        " catch: {retry: {limit: {attempt: {count: 2}}}, do: [{h: {set: {handled: true}}}]}}"
    ).start({})
    assert run.output == {"handled": True}
    assert run.happened("task.retried") == ["task.retried t"] * 2
    assert run.happened("task.completed").count("task.completed h") == 1


def test_row_06_without_a_handler_the_error_goes_on_when_no_retry_is_left() -> None:
    run = given(f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{retry: {{limit: {{attempt: {{count: 1}}}}}}}}}}").start({})
    assert (error_of(run).status, error_of(run).instance) == (418, "/do/0/t/try/0/b")


def test_row_07_the_count_is_of_retries() -> None:
    run = given(f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{retry: {{limit: {{attempt: {{count: 3}}}}}}}}}}").start({})
    assert run.happened("task.faulted").count("task.faulted b") == 4


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [("constant", [1000, 1000, 1000]), ("linear", [1000, 2000, 3000]), ("exponential", [1000, 2000, 4000])],
)
def test_row_08_backoff(backoff: str, expected: list[int]) -> None:
    policy = f"{{delay: PT1S, backoff: {{{backoff}: {{}}}}, limit: {{attempt: {{count: 3}}}}}}"
    assert delays(given(f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{retry: {policy}}}}}").start({})) == expected


def test_row_09_jitter_is_added() -> None:
    policy = "{delay: PT1S, jitter: {from: PT0.1S, to: PT0.3S}, limit: {attempt: {count: 5}}}"
    found = delays(given(f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{retry: {policy}}}}}").start({}))
    assert all(1100 <= delay <= 1300 for delay in found)
    assert len(set(found)) > 1


def test_row_10_the_duration_of_an_attempt_is_of_each() -> None:
    policy = "{limit: {attempt: {count: 2, duration: PT1S}}}"
    run = given(f"- t: {{try: [{{w: {{wait: PT5S}}}}], catch: {{retry: {policy}}}}}").start({})
    assert delays(run) == [1000, 1000, 1000]
    assert error_of(run).status == 408


def test_row_11_a_catch_with_nothing_gives_the_input_of_the_try() -> None:
    assert outcome(f"- t: {{try: [{{s: {{set: {{x: 1}}}}}}, {{b: {{{BOOM}}}}}], catch: {{}}}}", {"k": 1}) == {"k": 1}


def test_row_12_the_dot_of_catch_when_and_retry_when_is_the_error_and_so_is_its_variable() -> None:
    for when in (".status == 418", "${ $e.status == 418 }"):
        run = given(
            f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{as: e, when: '{when}',"
            f" retry: {{when: '{when}', limit: {{attempt: {{count: 1}}}}}}, do: [{{h: {{set: {{ok: 1}}}}}}]}}}}"
        ).start({})
        assert run.output == {"ok": 1}
        assert run.happened("task.retried") == ["task.retried t"]


def test_row_13_error_filters_are_equalities_of_all_members() -> None:
    exact = "{status: 418, title: Boom, detail: why, instance: /do/0/t/try/0/b}"
    text = f"- t: {{try: [{{b: {{{BOOM}}}}}], catch: {{errors: {{with: FILTER}}}}}}"
    assert outcome(text.replace("FILTER", exact), {"k": 1}) == {"k": 1}
    assert error_of(given(text.replace("FILTER", "{status: 418, title: Bo.*}")).start({})).status == 418


def test_row_14_switch_takes_the_first_match_and_without_any_the_tasks_own_then() -> None:
    text = (
        "- s: {switch: [{a: {when: .n > 1, then: one}}, {b: {when: .n > 0, then: two}}], then: three}\n"
        "- one: {set: {r: 1}, then: end}\n- two: {set: {r: 2}, then: end}\n- three: {set: {r: 3}}"
    )
    assert [outcome(text, {"n": n}) for n in (2, 1, 0)] == [{"r": 1}, {"r": 2}, {"r": 3}]


def test_row_15_while_is_asked_before_each_iteration() -> None:
    text = "- l: {for: {in: '[1, 2, 3]'}, while: .n < 1, do: [{a: {set: {n: '${ .n + 1 }'}}}]}"
    assert [outcome(text, {"n": n}) for n in (0, 5)] == [{"n": 1}, {"n": 5}]


def test_row_16_an_iteration_gets_the_output_of_the_one_before() -> None:
    text = "- l: {for: {in: .all}, do: [{a: {set: {all: [], sum: '${ .sum + $item }'}}}]}"
    assert outcome(text, {"all": [1, 2], "sum": 0}) == {"all": [], "sum": 3}
    assert outcome(text, {"all": [], "sum": 7}) == {"all": [], "sum": 7}


def test_row_17_a_pointer_has_no_iteration_index() -> None:
    run = given(f"- l: {{for: {{in: '[1, 2]'}}, do: [{{b: {{if: $index == 1, {BOOM}}}}}]}}").start({})
    assert error_of(run).instance == "/do/0/l/do/0/b"
    assert [fact.path for fact in run.facts if fact.type == "task.faulted"] == [(1,), ()]


def test_row_18_exit_ends_the_iteration_and_end_the_workflow() -> None:
    text = (
        "- l: {for: {in: '[1, 2]'}, do: [{a: {set: {n: '${ .n + $item }'}, then: DIRECTIVE}}, {b: {set: {n: 99}}}]}\n"
        "- c: {set: {after: '${ .n }'}}"
    )
    assert outcome(text.replace("DIRECTIVE", "exit"), {"n": 0}) == {"after": 3}
    assert outcome(text.replace("DIRECTIVE", "end"), {"n": 0}) == {"n": 1}


def test_row_19_a_skipped_task_hands_its_raw_input_on_and_its_then_holds() -> None:
    assert outcome(
        "- a: {if: .k == 2, input: {from: '{k: 2}'}, set: {x: 1}, output: {as: {no: 1}}, then: c}\n"
        "- b: {set: {never: 1}}\n- c: {set: {got: '${ . }'}}",
        {"k": 1},
    ) == {"got": {"k": 1}}


def test_row_20_the_dot_of_export_is_the_transformed_output() -> None:
    assert outcome(
        "- a: {set: {v: 1}, output: {as: {w: '${ .v }'}}, export: {as: {dot: '${ . }', output: '${ $output }'}}}\n"
        "- b: {set: '${ $context }'}"
    ) == {"dot": {"w": 1}, "output": {"w": 1}}


@pytest.mark.parametrize("member", ["output", "export"])
def test_row_21_output_and_export_are_validated(member: str) -> None:
    run = given(f"- a: {{set: {{v: 1}}, {member}: {{as: .v, schema: {{document: {{type: string}}}}}}}}").start({})
    assert (error_of(run).type, error_of(run).instance) == (VALIDATION, "/do/0/a")


def test_row_22_a_bare_string_inside_an_object_is_a_literal_and_noted() -> None:
    text = "- a: {set: {v: 1}, output: {as: {w: .v}}}"
    assert outcome(text) == {"w": ".v"}
    assert findings(text) == ["not-an-expression"]


def test_row_23_an_expression_inside_a_text_is_a_literal_and_noted() -> None:
    text = "- a: {set: {v: 'text ${ .x }'}}"
    assert outcome(text, {"x": 1}) == {"v": "text ${ .x }"}
    assert findings(text) == ["not-an-expression"]


@pytest.mark.parametrize("name", ["secret", "secrets"])
def test_row_24_secrets_have_two_names(name: str) -> None:
    text = f"${{ ${name}.key }}"
    headers = {"A": text}
    run = given(
        [{"c": {"call": "http", "with": {"method": "get", "endpoint": "http://x.test/", "headers": headers}}}],
        use={"secrets": ["key"]},
    ).start({})
    (deferred,) = run.calls()[0].deferred
    assert (deferred.pointer, deferred.expression) == ("/headers/A", f"${name}.key")


def test_row_25_the_first_context_is_an_empty_object() -> None:
    assert outcome("- a: {set: {c: '${ $context }'}}", {"k": 1}) == {"c": {}}


def test_row_30_a_child_without_input_gets_that_of_the_task() -> None:
    run = given(
        "- r: {input: {from: .part}, run: {workflow: {namespace: n, name: w, version: 1.0.0}}}",
    ).start({"part": {"a": 1}})
    (sent,) = [command.message for command in run.commands if isinstance(command, SendMessage)]
    assert isinstance(sent, Started) and sent.input.data == {"a": 1}


def answered(status: int, body: bytes = b"", media_type: str = "", *, redirect: bool = False) -> Json:
    headers = (("Content-Type", media_type),) if media_type else ()
    response = HttpResponse(status, "", headers, body, HttpRequest("GET", "http://x.test/"))
    found = output_of(response, "content", redirect, lambda text: text)
    return found if isinstance(found, Fault) else found.data


@pytest.mark.parametrize("status", [401, 403])
def test_row_31_a_refusal_by_the_other_side_is_a_communication_error_with_its_status(status: int) -> None:
    fault = answered(status, b'{"title": "No"}', "application/problem+json")
    assert (fault.type, fault.status, fault.title) == (COMMUNICATION, status, "No")


def test_row_32_a_redirect_that_is_left_over_is_judged_by_its_status() -> None:
    assert answered(304).status == 304
    assert answered(304, redirect=True) is None


def test_row_33_bodies_are_read_by_their_type() -> None:
    assert answered(200, b"[1]", "application/vnd.x+json; charset=utf-8") == [1]
    assert answered(200, b"[1]", "text/plain") == "[1]"
    assert answered(200, b"\x00\xff", "image/png") == "AP8="


def event(type_: str, data: Json = None) -> dict[str, Json]:
    return {"specversion": "1.0", "id": "1", "source": "s", "type": type_, "data": data}


def test_row_36_foreach_gives_the_list_of_its_outputs() -> None:
    listen = "listen: {to: {any: [{with: {type: a}}], until: length == 2}}"
    plain = given(f"- l: {{{listen}, foreach: {{output: {{as: .n}}}}}}").start({})
    with_do = given(f"- l: {{{listen}, foreach: {{do: [{{s: {{set: {{d: '${{ $item.n * 2 }}'}}}}}}]}}}}").start({})
    for run, expected in ((plain, [1, 2]), (with_do, [{"d": 2}, {"d": 4}])):
        assert run.event(event("a", {"n": 1}), (1, 0)).event(event("a", {"n": 2}), (1, 0)).output == expected


def test_row_37_an_attribute_is_equal_or_a_pattern_for_the_whole() -> None:
    run = given("- l: {listen: {to: {any: [{with: {type: 'a.b+'}}, {with: {type: a.c}}]}}}").start({})
    pattern, literal = (run.program.topics[c.topic] for c in run.commands if isinstance(c, Subscribe))
    assert [pattern.admits(event(type_)) for type_ in ("a.bb", "axb", "a.b+", "za.b")] == [True, True, True, False]
    assert [literal.admits(event(type_)) for type_ in ("a.c", "abc")] == [True, False]


@pytest.mark.parametrize(
    ("expect", "known"), [("P9", "P9"), (".id", "X"), ("${ .id }", "X"), ("$input.id", "X"), ("id", "id")]
)
def test_row_38_expect_is_a_constant_unless_it_looks_like_an_expression(expect: str, known: str) -> None:
    run = given(
        "- l: {listen: {to: {one: {with: {type: a}, correlate: {k: {from: .data, expect: 'EXPECT'}}}}}}".replace(
            "EXPECT", expect
        )
    ).start({"id": "X"})
    (subscription,) = [command for command in run.commands if isinstance(command, Subscribe)]
    assert subscription.known["k"].data == known


def test_row_39_then_names_a_task_of_the_same_list() -> None:
    assert findings("- a: {set: {x: 1}, then: nowhere}") == ["unknown-target"]
    assert findings("- o: {do: [{a: {set: {x: 1}, then: b}}]}\n- b: {set: {x: 1}}") == ["unknown-target"]


@pytest.mark.parametrize(
    "task",
    [
        "raise: {error: nobody}",
        "timeout: nobody, set: {x: 1}",
        "try: [{b: {set: {x: 1}}}], catch: {retry: nobody}",
        "call: http, with: {method: get, endpoint: {uri: 'http://x.test', authentication: {use: nobody}}}",
    ],
)
def test_row_40_names_of_use_must_exist(task: str) -> None:
    assert findings(f"- a: {{{task}}}") == ["unknown-reference"]


def test_row_41_only_the_deadline_raises_a_timeout_and_it_ends_what_goes_on() -> None:
    failed = given(f"- t: {{timeout: {{after: PT5S}}, do: [{{b: {{{BOOM}}}}}]}}").start({})
    assert error_of(failed).status == 418
    late = given("- t: {timeout: {after: PT5S}, do: [{w: {wait: PT9S}}]}").start({}).later(5000)
    assert (error_of(late).status, error_of(late).instance) == (408, "/do/0/t")
    assert "task.cancelled w" in late.happened()


def test_row_44_pointers_begin_with_a_slash() -> None:
    run = given(
        f"- o: {{do: [{{t: {{try: [{{f: {{fork: {{branches: [{{'b/c': {{{BOOM}}}}}]}}}}}}],"
        " catch: {do: [{h: {set: {at: '${ $error.instance }', me: '${ $task.reference }'}}}]}}}]}"
    ).start({})
    assert run.output == {
        "at": "/do/0/o/do/0/t/try/0/f/fork/branches/0/b~1c",
        "me": "/do/0/o/do/0/t/catch/do/0/h",
    }


def test_row_48_formats_are_checked() -> None:
    text = "- a: {input: {schema: {document: {type: string, format: date-time}}}, set: '${ . }'}"
    assert error_of(given(text).start("soon")).type == VALIDATION
    assert outcome(text, "2026-01-31T12:00:00Z") == "2026-01-31T12:00:00Z"


def test_row_49_an_expression_may_span_lines() -> None:
    assert outcome('- a: {set: {v: "${\\n  .x\\n  + 1\\n}"}}', {"x": 1}) == {"v": 2}


def test_row_50_lifecycle_events_name_workflow_run_and_namespace() -> None:
    told = to_cloudevent(
        Fact("run.started", 0), run_id=RUN_ID, workflow=WorkflowIdentity("space", "flow", "1.0.0"), seq=1, index=0
    )
    assert told["data"]["name"] == f"flow-{RUN_ID}.space"


def test_row_51_input_is_that_of_the_task_itself() -> None:
    assert outcome("- o: {do: [{a: {set: {x: 2}}}, {b: {set: {i: '${ $input }'}}}]}", {"x": 1}) == {"i": {"x": 2}}


def test_row_53_integers_stay_exact() -> None:
    largest = 2**63 - 1
    assert outcome("- a: {set: {n: '${ .n }', less: '${ .n - 1 }', same: '${ .n == .n - 1 }'}}", {"n": largest}) == {
        "n": largest,
        "less": largest - 1,
        "same": False,
    }


def test_row_54_headers_and_query_take_scalars_and_arrays_repeat_a_key() -> None:
    request = build_request(
        {"method": "get", "uri": "http://x.test/", "headers": {"N": 5}, "query": {"b": True, "l": [1, "2"], "z": None}}
    )
    assert isinstance(request, HttpRequest)
    assert request.headers == (("N", "5"),)
    assert request.uri == "http://x.test/?b=true&l=1&l=2"


def test_an_expression_that_fails_is_the_error_of_its_task() -> None:
    run = given("- a: {set: {v: '${ .x.y }'}}").start({"x": 1})
    assert (error_of(run).type, error_of(run).status, error_of(run).instance) == (EXPRESSION, 400, "/do/0/a")
