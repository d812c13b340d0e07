"""The conformance suites' own machinery, proved without an engine: readers, selection, comparison."""

import base64
import json
from collections.abc import Mapping

import pytest

from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir

from .support.case import Case, accepted_statuses, case_of, filled_in, read_cases
from .support.client import Answer, api_client
from .support.dsl_run import as_text, refusal_problems
from .support.expectation import Observed, differences
from .support.harness import match, mock_http, substitute
from .support.public_hosts import PUBLIC_HOSTS, pet_store_description, public_hosts
from .support.refusals import Refusal, refused_constructs

CASES = read_cases(conformance_dir() / "serverless-workflow" / "cases")
NEEDED_BY_KIND = {
    "call-grpc": "grpc",
    "grpc": "grpc",
    "call-asyncapi": "asyncapi",
    "asyncapi": "asyncapi",
    "call-mcp": "mcp",
    "mcp": "mcp",
    "call-a2a": "a2a",
    "a2a": "a2a",
    "run-container": "container",
    "run-script": "script",
    "run-shell": "shell",
    "oauth2": "oauth2",
    "oidc": "oidc",
    "digest": "digest",
    "schedule": "schedule",
    "extension": "extension",
}
"""What the corpus calls a case, and the refused construct that such a case must turn out to need."""


def _task(body: Json) -> Json:
    return {"document": {}, "do": [{"step": body}]}


def _constructs(workflow: Json) -> list[tuple[str, str]]:
    return [(refusal.construct, refusal.pointer) for refusal in refused_constructs(workflow)]


def test_corpus_is_read_whole() -> None:
    assert len(CASES) == 127
    assert len({case.name for case in CASES}) == 127


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_constructs_agree_with_the_kinds_of_the_case(case: Case) -> None:
    needed = {NEEDED_BY_KIND[kind] for kind in case.kinds if kind in NEEDED_BY_KIND}
    assert {refusal.construct for refusal in refused_constructs(case.workflow)} == needed, case.kinds


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        (_task({"call": "grpc", "with": {}}), [("grpc", "/do/0/step/call")]),
        (_task({"call": "log:1.0.0", "with": {}}), [("catalog", "/do/0/step/call")]),
        (_task({"call": "log:1.0.0@shared", "with": {}}), [("catalog", "/do/0/step/call")]),
        (_task({"call": "https://example.com/functions/log/1.0.0/function.yaml"}), []),
        (_task({"run": {"shell": {"command": "ls"}}}), [("shell", "/do/0/step/run/shell")]),
        (_task({"run": {"workflow": {"name": "shell"}}}), []),
        (_task({"set": {"run": {"shell": {}}, "authentication": {"oauth2": {}}, "call": "grpc"}}), []),
        (
            _task({"call": "http", "with": {"endpoint": {"authentication": {"digest": {}}}}}),
            [("digest", "/do/0/step/with/endpoint/authentication/digest")],
        ),
        (
            _task({"call": "http", "with": {"endpoint": "http://x", "body": {"authentication": {"oidc": {}}}}}),
            [],
        ),
        (
            _task(
                {
                    "try": [{"a": {"do": [{"b": {"run": {"script": {}}}}]}}],
                    "catch": {"do": [{"c": {"call": "mcp"}}]},
                }
            ),
            [("script", "/do/0/step/try/0/a/do/0/b/run/script"), ("mcp", "/do/0/step/catch/do/0/c/call")],
        ),
        (
            _task({"fork": {"branches": [{"a/b": {"call": "a2a"}}]}}),
            [("a2a", "/do/0/step/fork/branches/0/a~1b/call")],
        ),
        (
            _task({"listen": {}, "foreach": {"do": [{"a": {"call": "asyncapi"}}]}}),
            [("asyncapi", "/do/0/step/foreach/do/0/a/call")],
        ),
        ({"schedule": {"cron": "* * * * *"}, "do": []}, [("schedule", "/schedule")]),
        (
            {"use": {"catalogs": {}, "extensions": []}, "do": []},
            [("catalog", "/use/catalogs"), ("extension", "/use/extensions")],
        ),
        (
            {"use": {"authentications": {"login": {"oidc": {}}, "plain": {"basic": {}}}}, "do": []},
            [("oidc", "/use/authentications/login/oidc")],
        ),
        (
            {"use": {"functions": {"f": {"run": {"container": {}}}}}, "do": []},
            [("container", "/use/functions/f/run/container")],
        ),
        (
            {"input": {"schema": {"resource": {"endpoint": {"authentication": {"oauth2": {}}}}}}, "do": []},
            [("oauth2", "/input/schema/resource/endpoint/authentication/oauth2")],
        ),
        ({"input": {"schema": {"document": {"authentication": {"oauth2": {}}}}}, "do": []}, []),
        ("no workflow at all", []),
    ],
)
def test_refused_constructs_are_found_where_they_mean_something(workflow: Json, expected: Json) -> None:
    assert _constructs(workflow) == expected


def test_an_unknown_member_of_a_case_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="telepathy"):
        case_of({"name": "x", "expected": {"status": "completed", "telepathy": True}})


def test_placeholders_are_filled_in_everywhere() -> None:
    case = Case(
        name="x",
        workflow={"at": "http://h:{{port}}/"},
        input=["{{grpc_port}}"],
        expected={"status": "completed", "output": "{{closed_port}}"},
    )
    filled = filled_in(case, {"port": 1, "grpc_port": 2, "closed_port": 9})
    assert (filled.workflow, filled.input, filled.expected["output"]) == ({"at": "http://h:1/"}, [2], "9")
    assert substitute("{{port}}", {"port": 7, "grpc_port": 0}) == "7"


def test_accepted_statuses() -> None:
    assert accepted_statuses({"status": "faulted"}) == ("faulted",)
    assert accepted_statuses({"status": {"$one_of": ["faulted", "invalid"]}}) == ("faulted", "invalid")


def test_corpus_matchers_are_the_ones_in_use() -> None:
    assert match({"$std": "timeout"}, "https://serverlessworkflow.io/spec/1.0.0/errors/timeout") == []
    assert match({"a": 1}, {"a": 1, "b": 2}) == ["$.b: unexpected"]
    assert match(1, True) != []


COMPLETED = Observed(
    status="completed",
    output={"a": 1},
    error=None,
    elapsed_ms=100.0,
    tasks=[{"name": "one", "status": "completed"}, {"name": "two", "status": "skipped"}],
    events_out=[{"source": "s", "id": "1", "type": "t"}],
    history=[
        {"type": "started", "data": {}},
        {"type": "faulted", "data": {"n": 1}},
        {"type": "ended", "data": {}},
    ],
    runs=[{"status": "completed", "output": {"v": 1}}, {"status": "completed", "output": {"v": 2}}],
)


@pytest.mark.parametrize(
    "expected",
    [
        {"output": {"a": 1}},
        {"tasks_run_order": ["one"]},
        {"events_out": [{"$subset": {"type": "t"}}]},
        {"lifecycle": [{"type": "started"}, {"type": "ended", "data": {"$any": True}}]},
        {"timing": {"min_ms": 98, "max_ms": 200}},
        {"instances": {"count": 2, "outputs_unordered": [{"v": 2}, {"v": 1}]}},
        {"instances": {"min": 1, "max": 2, "each_output": {"v": {"$type": "integer"}}}},
    ],
)
def test_what_holds_has_no_differences(expected: Mapping[str, Json]) -> None:
    assert differences({"status": "completed", **expected}, COMPLETED) == []


@pytest.mark.parametrize(
    "expected",
    [
        {"status": "faulted"},
        {"output": {"a": 2}},
        {"error": {"status": 400}},
        {"tasks_run_order": ["one", "two"]},
        {"events_out": []},
        {"lifecycle": [{"type": "ended"}, {"type": "started"}]},
        {"lifecycle": [{"type": "faulted", "data": {"n": 2}}]},
        {"timing": {"min_ms": 101}},
        {"timing": {"max_ms": 99}},
        {"instances": {"count": 1}},
        {"instances": {"min": 3}},
        {"instances": {"each_output": {"v": 1}}},
        {"instances": {"each_status": "faulted"}},
    ],
)
def test_each_expectation_that_fails_is_told(expected: Mapping[str, Json]) -> None:
    found = differences({"status": "completed", **expected}, COMPLETED)
    assert found, expected
    assert all("expected" in problem and "actual" in problem for problem in found), found


def test_events_with_the_same_identity_are_told() -> None:
    seen = Observed(status="completed", events_out=[{"source": "s", "id": "1"}] * 2)
    found = differences({"status": "completed", "events_out": [{"$any": True}] * 2}, seen)
    assert found and "distinct" in found[0]


def _refused(status: int = 422, **error: Json) -> Answer:
    told = {"pointer": "/do/0/step", "line": 4, "column": 5, "message": "call grpc is not supported"} | error
    body = json.dumps({"title": "Invalid", "errors": [told]})
    return Answer("POST /x", status, {"content-type": "application/problem+json"}, body)


GRPC = [Refusal("grpc", "/do/0/step/call")]
GRPC_TEXT = as_text(_task({"call": "grpc", "with": {}}))


def test_a_proper_refusal_has_no_problems() -> None:
    assert refusal_problems(_refused(), GRPC_TEXT, GRPC) == []
    assert refusal_problems(_refused(message="something else"), GRPC_TEXT, []) == []


@pytest.mark.parametrize(
    "answer",
    [
        _refused(status=201),
        _refused(message="no such thing"),
        _refused(pointer="/do/1/other"),
        _refused(line=0),
        _refused(line=4000),
        _refused(line=None),
        _refused(column="5"),
        _refused(message=" "),
        Answer("POST /x", 422, {"content-type": "application/problem+json"}, '{"errors": []}'),
        Answer("POST /x", 422, {"content-type": "application/problem+json"}, "{}"),
    ],
    ids=str,
)
def test_a_refusal_that_does_not_tell_enough_is_a_problem(answer: Answer) -> None:
    assert refusal_problems(answer, GRPC_TEXT, GRPC) != []


def test_a_refusal_that_is_no_problem_document_fails() -> None:
    with pytest.raises(AssertionError, match="application/problem"):
        refusal_problems(Answer("POST /x", 422, {"content-type": "text/plain"}, "no"), GRPC_TEXT, GRPC)


async def test_mock_server_tells_what_was_wrong_with_the_calls() -> None:
    mocks: list[Json] = [
        {"id": "a", "method": "GET", "path": "/a", "times": 1, "calls": 1, "response": {"status": 503}},
        {
            "id": "b",
            "method": "GET",
            "path": "/a",
            "query": {"q": "1"},
            "calls": 1,
            "response": {"status": 200, "json": {"at": "{{port}}"}},
        },
    ]
    async with mock_http(mocks) as mock, api_client(f"http://127.0.0.1:{mock.port}") as api:
        assert mock.problems() != []
        assert (await api.request("GET", "/a")).status == 503
        assert (await api.request("GET", "/a?q=1")).expect(200).body == {"at": str(mock.port)}
        assert mock.problems({"requests": 2, "request_order": ["a", "b"]}) == []
        (await api.request("GET", "/missing")).expect(404)
        assert mock.problems() == ["unexpected GET /missing"]


async def test_public_hosts_answer_as_the_scenarios_need() -> None:
    async with public_hosts() as hosts, api_client(hosts[PUBLIC_HOSTS[0]]) as api:
        assert (await api.request("GET", "/v2/pet/2")).expect(200).body["id"] == 2
        found = (await api.request("GET", "/v2/pet/findByStatus?status=available")).expect(200).body
        assert [pet["id"] for pet in found] == [1, 2]
        (await api.request("GET", "/v2/pet/getPetByName/Milou")).expect(404)
        described = (await api.request("GET", "/v2/swagger.json")).expect(200).body
        assert described == pet_store_description(api.base_url.removeprefix("http://"))
        right = {"Authorization": "Basic " + base64.b64encode(b"u:p").decode()}
        (await api.request("GET", "/basic-auth/u/p", headers=right)).expect(200)
        (await api.request("GET", "/basic-auth/u/other", headers=right)).expect(401)
        (await api.request("GET", "/basic-auth/u/p")).expect(401)
