"""Where two rules meet: events that match more than one filter, and expressions that give null where text belongs."""

import pytest

from penstock.errors import EXPRESSION, VALIDATION
from penstock.kernel.commands import PublishEvent
from penstock.model import load_data
from penstock.model.json_value import Json
from tests.kernel.world import given


def event(type_: str, data: Json = None) -> dict[str, Json]:
    return {"specversion": "1.0", "id": "1", "source": "s", "type": type_, "data": data}


def test_an_event_that_matches_two_filters_of_any_is_consumed_once() -> None:
    run = given(
        "- l: {listen: {to: {any: [{with: {type: a}}, {with: {source: s}}], until: '( . | length ) >= 2'}}}"
    ).start({})
    run.event(event("a", 1), (1, 0), (1, 1))
    assert run.live.status == "waiting"
    assert run.event(event("a", 2), (1, 0), (1, 1)).output == [1, 2]


@pytest.mark.parametrize("until", ["one: {with: {type: z}}", "any: [{with: {type: z}}, {with: {type: y}}]"])
def test_the_event_that_ends_a_listener_to_everything_is_not_among_its_events(until: str) -> None:
    run = given(f"- l: {{listen: {{to: {{any: [], until: {{{until}}}}}}}}}").start({})
    run.event(event("a", 1), (1, 0)).event(event("z", 9), (1, 0), (1, 1))
    assert run.output == [1]


def test_an_event_that_until_has_already_is_consumed_like_any_other() -> None:
    run = given("- l: {listen: {to: {any: [], until: {all: [{with: {type: y}}, {with: {type: z}}]}}}}").start({})
    run.event(event("z", 8), (1, 0), (1, 2)).event(event("z", 9), (1, 0), (1, 2))
    assert run.event(event("y", 7), (1, 0), (1, 1)).output == [9]


def test_one_event_may_meet_several_filters_of_all() -> None:
    run = given("- l: {listen: {to: {all: [{with: {type: a}}, {with: {source: s}}]}}}").start({})
    assert run.event(event("a", 1), (1, 0), (1, 1)).live.status == "completed"


def test_an_event_reaches_every_listener_that_it_matches() -> None:
    run = given(
        "- f: {fork: {branches: [{a: {listen: {to: {one: {with: {type: t}}}}}},"
        " {b: {listen: {to: {any: [{with: {type: t}}, {with: {source: s}}]}}}}]}}"
    ).start({})
    assert run.event(event("t", 5), (2, 0), (3, 0), (3, 1)).output == [[5], [5]]


def test_a_text_that_an_expression_does_not_find_does_not_hide_the_raised_error() -> None:
    run = given(
        "- a: {raise: {error: {type: 'https://e.test/x', status: 402, title: '${ .code }', detail: '${ .none }'}}}"
    ).start({"code": 7})
    error = run.live.error
    assert error is not None
    assert (error.type, error.title, error.detail, error.instance) == ("https://e.test/x", "7", "", "/do/0/a")


def test_an_error_without_a_type_cannot_be_raised() -> None:
    run = given("- a: {raise: {error: {type: '${ .none }', status: 402}}}").start({})
    assert run.live.error is not None and run.live.error.type == EXPRESSION


def test_attributes_that_are_null_are_left_out_of_an_emitted_event() -> None:
    run = given(
        "- e: {emit: {event: {with: {type: t, id: '${ .none }', subject: '${ .none }', own: '${ .none }',"
        " data: null}}}}"
    ).start({})
    (published,) = [command.event.data for command in run.commands if isinstance(command, PublishEvent)]
    assert published.keys() == {"specversion", "id", "source", "time", "type", "data", "datacontenttype"}
    assert published["id"] and published["data"] is None


@pytest.mark.parametrize("attributes", ["type: '${ .none }'", "type: t, own: {a: 1}", "type: t, specversion: 1.0"])
def test_what_is_no_event_is_not_emitted(attributes: str) -> None:
    run = given(f"- e: {{emit: {{event: {{with: {{{attributes}}}}}}}}}").start({})
    assert run.live.error is not None and run.live.error.type == VALIDATION
    assert not [command for command in run.commands if isinstance(command, PublishEvent)]


def test_the_variable_of_a_loop_wins_over_a_standard_one_of_that_name() -> None:
    run = given(
        "- l: {for: {each: task, at: input, in: '[7]'}, do: [{a: {set: {t: '${ $task }', i: '${ $input }'}}}]}\n"
        "- b: {set: {was: '${ . }', name: '${ $task.name }', now: '${ $input.t }'}}"
    ).start({})
    assert run.output == {"was": {"t": 7, "i": 0}, "name": "b", "now": 7}


def test_a_function_called_in_such_a_loop_sees_the_standard_variable() -> None:
    run = given(
        "- l: {for: {each: task, in: '[7]'}, do: [{a: {call: f}}]}",
        use={"functions": {"f": {"set": {"name": "${ $task.name }"}}}},
    ).start({})
    assert run.output == {"name": "f"}


@pytest.mark.parametrize("name", ["secret", "secrets", "authorization"])
def test_no_loop_takes_the_names_of_credentials(name: str) -> None:
    document = {"dsl": "1.0.3", "namespace": "tests", "name": "names", "version": "1.0.0"}
    loop = {"for": {"each": name, "in": "[1]"}, "do": [{"a": {"set": {"x": 1}}}]}
    loaded = load_data({"document": document, "do": [{"l": loop}]})
    assert [(found.pointer, found.code) for found in loaded.errors] == [("/do/0/l/for/each", "variable-name")]
