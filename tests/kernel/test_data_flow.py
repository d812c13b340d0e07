"""What happens around the body of a task: schemas, input, output, export, variables, secrets, lifecycle."""

import pytest

from penstock.errors import EXPRESSION, RUNTIME, VALIDATION, Unprocessable
from penstock.kernel import Answer, Resources, compile_program, external_resources, step
from penstock.kernel.lifecycle import to_cloudevent
from penstock.kernel.messages import Continued, Started
from penstock.kernel.values import Value
from penstock.model import load_data
from penstock.model.json_value import Json
from penstock.model.limits import MAX_JSON_DEPTH, MAX_RETRIES, MAX_VALUE_BYTES
from tests.kernel.world import RUN_ID, Run, given

NUMBER = {"document": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}


def fault_of(run: Run) -> tuple[str, int, str]:
    error = run.live.error
    assert error is not None, run.live
    return error.type, error.status, error.instance


@pytest.mark.parametrize(
    ("task", "where"),
    [
        ({"set": {"a": 1}, "input": {"schema": NUMBER}}, "input.schema"),
        ({"set": {"a": 1}, "output": {"schema": NUMBER}}, "output.schema"),
        ({"set": {"a": 1}, "export": {"as": "${ . }", "schema": NUMBER}}, "export.schema"),
    ],
)
def test_a_value_against_its_schema_is_a_validation_error(task: Json, where: str) -> None:
    run = given([{"t": task}]).start({"n": "text"})
    assert fault_of(run) == (VALIDATION, 400, "/do/0/t")
    assert run.live.error is not None and run.live.error.detail.startswith(where)


def test_a_broken_expression_names_its_place() -> None:
    run = given("- bad: {set: {v: '${ .text.inner }'}}").start({"text": "abc"})
    assert fault_of(run) == (EXPRESSION, 400, "/do/0/bad")
    assert run.live.error is not None and "/v" in run.live.error.detail


def test_each_variable_is_there_where_the_dsl_says() -> None:
    run = given(
        [
            {
                "t": {
                    "input": {"from": "${ {raw: $task.input, name: $task.name} }"},
                    "set": {"i": "${ $input }", "id": "${ $workflow.id }", "ref": "${ $task.reference }"},
                    "output": {"as": "${ {raw: $task.output.ref, i: $input.name, id} }"},
                    "export": {"as": "${ {o: $output.raw, was: $context} }"},
                }
            },
            {
                "c": {
                    "set": "${ {last: ., context: $context, by: $runtime.name, w: $workflow.definition.document.name} }"
                }
            },
        ]
    ).start({"a": 1})
    assert run.output == {
        "last": {"raw": "/do/0/t", "i": "t", "id": RUN_ID},
        "context": {"o": "/do/0/t", "was": {}},
        "by": "penstock",
        "w": "given",
    }


def test_text_in_data_is_never_evaluated() -> None:
    assert given("- t: {set: {v: '${ .v }'}}").start({"v": "${ .secret }"}).output == {"v": "${ .secret }"}


def test_loose_mode_falls_back_to_the_literal() -> None:
    run = given("- t: {set: {a: '.n', b: 'plain words', c: '.n | limit(1; .)'}}", evaluate={"mode": "loose"}).start(
        {"n": 3}
    )
    assert run.output == {"a": 3, "b": "plain words", "c": 3}


def test_now_is_the_time_of_the_turn() -> None:
    run = given("- t: {set: {n: '${ now | floor }'}}").start({})
    assert run.output == {"n": run.at // 1000}


def test_a_value_over_the_limit_faults_and_says_the_limit() -> None:
    run = given("- t: {set: {v: '${ [.[] , .[]] }'}}").start(["x" * (MAX_VALUE_BYTES // 2)])
    assert run.live.status == "faulted"
    assert fault_of(run)[0] == RUNTIME
    assert run.live.error is not None and str(MAX_VALUE_BYTES) in run.live.error.detail


def test_a_value_nested_too_deep_faults_and_says_the_limit() -> None:
    run = given("- l: {for: {in: '[range(600)]'}, do: [{s: {set: '${ [.] }'}}]}").start(0)
    assert fault_of(run)[0] == RUNTIME
    assert run.live.error is not None and str(MAX_JSON_DEPTH) in run.live.error.detail


def test_a_secret_outside_a_call_is_asked_for_and_then_data() -> None:
    run = given([{"t": {"set": {"v": "${ $secrets.s }"}}}], use={"secrets": ["s"]})

    message = Started(at=run.at, run_id=RUN_ID, workflow=run.program.identity, input=Value({}))
    first = step(run.program, None, message, {})
    assert [(need.expression, need.secrets) for need in first.needs] == [("$secrets.s", True)]
    done = step(run.program, first.state, message, {need.key: Answer(need.key, Value("told")) for need in first.needs})
    assert done.state.output == Value({"v": "told"})


def test_schemas_and_functions_elsewhere_are_named_and_then_used() -> None:
    schema = {"schema": {"resource": {"endpoint": "http://x.test/schema.json"}}}
    document = {
        "document": {"dsl": "1.0.3", "namespace": "tests", "name": "elsewhere", "version": "1.0.0"},
        "do": [{"f": {"call": "http://x.test/f.yaml", "with": {"n": "${ .n }"}, "input": schema}}],
    }
    workflow = load_data(document).workflow
    assert workflow is not None
    assert [(use.kind, use.uri) for use in external_resources(workflow)] == [
        ("schema", "http://x.test/schema.json"),
        ("function", "http://x.test/f.yaml"),
    ]
    with pytest.raises(Unprocessable, match="has not been fetched"):
        compile_program(workflow)
    function = {
        "set": {"twice": "${ .n * 2 }"},
        "input": {"schema": {"resource": {"endpoint": "http://x.test/g.json"}}},
    }
    documents = {"http://x.test/schema.json": NUMBER["document"], "http://x.test/f.yaml": function}
    more = external_resources(workflow, Resources(documents))
    assert [use.uri for use in more][-1] == "http://x.test/g.json"
    program = compile_program(workflow, Resources({**documents, "http://x.test/g.json": True}))
    assert Run(program).start({"n": 4}).output == {"twice": 8}
    assert Run(program).start({"n": "no"}).live.status == "faulted"


def test_a_fetched_function_that_does_not_run_yet_is_refused() -> None:
    document = {
        "document": {"dsl": "1.0.3", "namespace": "tests", "name": "elsewhere", "version": "1.0.0"},
        "do": [{"f": {"call": "http://x.test/f.yaml"}}],
    }
    workflow = load_data(document).workflow
    assert workflow is not None
    with pytest.raises(Unprocessable, match="shell"):
        compile_program(workflow, Resources({"http://x.test/f.yaml": {"run": {"shell": {"command": "ls"}}}}))


def test_retries_without_a_count_end_at_the_named_limit() -> None:
    boom = {"boom": {"raise": {"error": {"type": "https://e.test/x", "status": 500}}}}
    run = given([{"t": {"try": [boom], "catch": {"retry": {}}}}]).start({})
    while run.live.runnable:
        run.send(Continued(at=run.at))
    assert run.live.status == "faulted"
    assert len(run.happened("task.retried")) == MAX_RETRIES


def test_facts_are_the_lifecycle_events_of_the_dsl() -> None:
    run = given("- t: {set: {v: 1}}\n- r: {raise: {error: {type: 'https://e.test/x', status: 500}}}").start({})
    events = [
        to_cloudevent(fact, run_id=RUN_ID, workflow=run.program.identity, seq=1, index=i)
        for i, fact in enumerate(run.facts)
    ]
    assert [event["type"].removeprefix("io.serverlessworkflow.") for event in events] == [
        "workflow.started.v1",
        "task.created.v1",
        "task.started.v1",
        "task.completed.v1",
        "task.created.v1",
        "task.started.v1",
        "task.faulted.v1",
        "workflow.faulted.v1",
    ]
    assert events[0]["data"]["definition"] == {"namespace": "tests", "name": "given", "version": "1.0.0"}
    assert events[3]["data"]["output"] == {"v": 1}
    assert events[6]["data"]["task"] == "/do/1/r"
    assert events[7]["data"]["error"]["status"] == 500
    assert len({event["id"] for event in events}) == len(events)
