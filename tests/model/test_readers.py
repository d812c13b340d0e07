"""Each construct: what it may look like, and what is wrong with everything else."""

import pytest

from penstock.model.data_flow import BasicAuthentication, BearerAuthentication, OtherAuthentication
from penstock.model.json_value import Json
from penstock.model.limits import MAX_RETRIES
from penstock.model.tasks import (
    CallFunction,
    CallHttp,
    CallOpenApi,
    CallOther,
    CallTask,
    EmitTask,
    ForkTask,
    ForTask,
    ListenTask,
    RaiseTask,
    RunProcess,
    RunTask,
    RunWorkflow,
    SetTask,
    SwitchTask,
    Task,
    TryTask,
    WaitTask,
)
from tests.model.documents import codes, load, workflow

ENDPOINT = "http://example.com/a"


def task(data: Json, **members: Json) -> Task:
    return workflow(data, **members).do[0].task


def http(**arguments: Json) -> dict[str, Json]:
    return {"call": "http", "with": {"method": "get", "endpoint": ENDPOINT, **arguments}}


WRONG: list[tuple[str, Json, list[str]]] = [
    ("no kind", {"if": ".a"}, ["task-kind"]),
    ("two kinds", {"set": {"a": 1}, "wait": "PT1S"}, ["task-kind"]),
    ("no task", 5, ["type"]),
    ("unknown key", {"wait": "PT1S", "thn": "end"}, ["unknown-key"]),
    ("then of another list", {"wait": "PT1S", "then": "elsewhere"}, ["unknown-target"]),
    ("then no text", {"wait": "PT1S", "then": 5}, ["type"]),
    ("empty condition", {"wait": "PT1S", "if": " "}, ["expression"]),
    ("condition no text", {"wait": "PT1S", "if": True}, ["type"]),
    ("set of nothing", {"set": {}}, ["empty"]),
    ("set of a plain text", {"set": "text"}, ["type"]),
    ("set of a list", {"set": []}, ["type"]),
    ("wait with a wrong unit", {"wait": {"weeks": 1}}, ["unknown-key", "duration"]),
    ("wait of nothing", {"wait": {}}, ["duration"]),
    ("wait for a fraction", {"wait": {"seconds": 0.5}}, ["duration"]),
    ("wait too long", {"wait": "P200Y"}, ["duration"]),
    ("wait with a long text", {"wait": "P" + "1" * 1000 + "D"}, ["duration"]),
    ("empty switch", {"switch": []}, ["empty"]),
    ("case without then", {"switch": [{"a": {"when": ".a"}}]}, ["missing-key"]),
    ("two defaults", {"switch": [{"a": {"then": "end"}}, {"b": {"then": "end"}}]}, ["choice"]),
    ("two cases in one item", {"switch": [{"a": {"then": "end"}, "b": {"then": "end"}}]}, ["item"]),
    ("case to nowhere", {"switch": [{"a": {"then": "nowhere"}}]}, ["unknown-target"]),
    ("for without in", {"for": {"each": "x"}, "do": []}, ["missing-key"]),
    ("for without do", {"for": {"in": ".a"}}, ["missing-key"]),
    ("for over a number", {"for": {"in": 5}, "do": []}, ["type"]),
    ("for with a bad name", {"for": {"in": ".a", "each": "$x"}, "do": []}, ["variable-name"]),
    ("while at the wrong place", {"for": {"in": ".a", "while": ".b"}, "do": []}, ["unknown-key"]),
    ("fork without branches", {"fork": {}}, ["missing-key"]),
    (
        "branch to its sibling",
        {"fork": {"branches": [{"a": {"wait": "PT1S", "then": "b"}}, {"b": {"wait": "PT1S"}}]}},
        ["unknown-target"],
    ),
    ("raise without status", {"raise": {"error": {"type": "http://e"}}}, ["missing-key"]),
    ("raise of an unknown name", {"raise": {"error": "missing"}}, ["unknown-reference"]),
    (
        "raise with a bad pointer",
        {"raise": {"error": {"type": "http://e", "status": 400, "instance": "x"}}},
        ["json-pointer"],
    ),
    ("try without catch", {"try": []}, ["missing-key"]),
    ("catch with an empty filter", {"try": [], "catch": {"errors": {"with": {}}}}, ["empty"]),
    ("detail and details", {"try": [], "catch": {"errors": {"with": {"detail": "a", "details": "a"}}}}, ["choice"]),
    ("unknown retry", {"try": [], "catch": {"retry": "missing"}}, ["unknown-reference"]),
    ("two backoffs", {"try": [], "catch": {"retry": {"backoff": {"linear": {}, "constant": {}}}}}, ["choice"]),
    ("negative count", {"try": [], "catch": {"retry": {"limit": {"attempt": {"count": -1}}}}}, ["range"]),
    (
        "count beyond the limit",
        {"try": [], "catch": {"retry": {"limit": {"attempt": {"count": MAX_RETRIES + 1}}}}},
        ["range"],
    ),
    ("jitter without to", {"try": [], "catch": {"retry": {"jitter": {"from": "PT1S"}}}}, ["missing-key"]),
    ("unknown timeout", {"wait": "PT1S", "timeout": "missing"}, ["unknown-reference"]),
    ("timeout without after", {"wait": "PT1S", "timeout": {}}, ["missing-key"]),
    ("emit without with", {"emit": {"event": {}}}, ["missing-key"]),
    ("emit with a bad time", {"emit": {"event": {"with": {"type": "a", "time": "today"}}}}, ["date-time"]),
    ("emit with a bad attribute", {"emit": {"event": {"with": {"type": "a", "my-key": "x"}}}}, ["event-attribute"]),
    ("listen to nothing", {"listen": {"to": {}}}, ["choice"]),
    ("filter of nothing", {"listen": {"to": {"one": {"with": {}}}}}, ["empty"]),
    ("until with all", {"listen": {"to": {"all": [{"with": {"type": "a"}}], "until": ".a"}}}, ["choice"]),
    ("until in until", {"listen": {"to": {"any": [], "until": {"any": [], "until": ".a"}}}}, ["unknown-key"]),
    ("until true", {"listen": {"to": {"any": [], "until": True}}}, ["type"]),
    ("bad read", {"listen": {"to": {"any": []}, "read": "body"}}, ["choice"]),
    ("http without with", {"call": "http"}, ["missing-key"]),
    ("http without endpoint", {"call": "http", "with": {"method": "get"}}, ["missing-key"]),
    ("http method", http(method="ge t"), ["http-method"]),
    ("http output", http(output="text"), ["choice"]),
    ("http redirect", http(redirect="yes"), ["type"]),
    ("http headers of a list", http(headers=["a"]), ["type"]),
    ("http header of a list", http(headers={"a": ["b"]}), ["type"]),
    ("http endpoint with a space", http(endpoint="http://a b"), ["uri"]),
    ("http endpoint with open braces", http(endpoint="http://a/{b"), ["uri-template"]),
    ("http endpoint of a list", http(endpoint=[]), ["type"]),
    ("endpoint key", http(endpoint={"url": ENDPOINT}), ["missing-key", "unknown-key"]),
    ("unknown authentication", http(endpoint={"uri": ENDPOINT, "authentication": {"use": "x"}}), ["unknown-reference"]),
    (
        "two authentications",
        http(
            endpoint={
                "uri": ENDPOINT,
                "authentication": {"basic": {"username": "a", "password": "b"}, "bearer": {"token": "x"}},
            }
        ),
        ["authentication"],
    ),
    (
        "basic without password",
        http(endpoint={"uri": ENDPOINT, "authentication": {"basic": {"username": "a"}}}),
        ["missing-key"],
    ),
    (
        "unknown secret",
        http(endpoint={"uri": ENDPOINT, "authentication": {"bearer": {"use": "x"}}}),
        ["unknown-secret"],
    ),
    ("oauth2 grant", http(endpoint={"uri": ENDPOINT, "authentication": {"oauth2": {"grant": "x"}}}), ["choice"]),
    (
        "oidc endpoints",
        http(endpoint={"uri": ENDPOINT, "authentication": {"oidc": {"endpoints": {}}}}),
        ["unknown-key"],
    ),
    ("openapi without operation", {"call": "openapi", "with": {"document": {"endpoint": ENDPOINT}}}, ["missing-key"]),
    ("function arguments", {"call": "fn", "with": ["a"]}, ["type"]),
    ("empty function name", {"call": ""}, ["empty-name"]),
    (
        "grpc without service",
        {"call": "grpc", "with": {"proto": {"endpoint": ENDPOINT}, "method": "m"}},
        ["missing-key"],
    ),
    (
        "grpc port",
        {
            "call": "grpc",
            "with": {
                "proto": {"endpoint": ENDPOINT},
                "method": "m",
                "service": {"name": "a", "host": "b", "port": 70000},
            },
        },
        ["range"],
    ),
    ("a2a method", {"call": "a2a", "with": {"method": "x"}}, ["choice"]),
    ("mcp transports", {"call": "mcp", "with": {"method": "tools/list", "transport": {}}}, ["choice"]),
    ("asyncapi", {"call": "asyncapi", "with": {"document": {"endpoint": ENDPOINT}, "operation": "o"}}, ["choice"]),
    ("run of nothing", {"run": {}}, ["choice"]),
    ("run of two", {"run": {"shell": {"command": "a"}, "script": {"language": "js", "code": ""}}}, ["choice"]),
    ("run return", {"run": {"shell": {"command": "a"}, "return": "x"}}, ["choice"]),
    ("run workflow version", {"run": {"workflow": {"namespace": "a", "name": "b", "version": "x"}}}, ["semver"]),
    ("script without code", {"run": {"script": {"language": "js"}}}, ["choice"]),
    ("lifetime", {"run": {"container": {"image": "a", "lifetime": {"cleanup": "eventually"}}}}, ["choice"]),
    (
        "schema of both",
        {"wait": "PT1S", "input": {"schema": {"document": {}, "resource": {"endpoint": ENDPOINT}}}},
        ["schema"],
    ),
    ("schema of neither", {"wait": "PT1S", "input": {"schema": {}}}, ["schema"]),
    ("from of a list", {"wait": "PT1S", "input": {"from": []}}, ["type"]),
]


@pytest.mark.parametrize(("data", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_mistake_is_found_by_its_kind(data: Json, expected: list[str]) -> None:
    assert sorted(codes(load(data))) == sorted(expected)


def test_what_all_tasks_share() -> None:
    read = task(
        {
            "if": "${ .a }",
            "input": {"schema": {"format": "json:2020-12", "document": True}, "from": ".b"},
            "output": {"as": {"x": "${ .c }"}},
            "export": {"as": "$context + .d", "schema": {"resource": {"name": "s", "endpoint": ENDPOINT}}},
            "timeout": {"after": {"minutes": 1, "milliseconds": 5}},
            "then": "end",
            "metadata": {"k": 1},
            "set": {"v": 1},
        }
    )
    assert isinstance(read, SetTask)
    assert (read.if_, read.then, read.metadata, read.value) == ("${ .a }", "end", {"k": 1}, {"v": 1})
    assert read.input is not None
    assert read.input.from_ == ".b"
    assert read.input.schema is not None
    assert (read.input.schema.document, read.input.schema.format) == (True, "json:2020-12")
    assert read.output is not None
    assert read.output.as_ == {"x": "${ .c }"}
    assert read.export is not None
    assert read.export.schema is not None
    assert read.export.schema.resource is not None
    assert read.export.schema.resource.endpoint.uri == ENDPOINT
    assert read.timeout is not None
    assert read.timeout.ms == 60_005
    assert read.definition["metadata"] == {"k": 1}


def test_pointers_are_task_references() -> None:
    nested = workflow(
        {"a/b": {"do": [{"c": {"wait": "PT1S"}}]}},
        {"loop": {"for": {"in": ".x"}, "do": [{"d": {"wait": "PT1S"}}]}},
        {"try1": {"try": [{"e": {"wait": "PT1S"}}], "catch": {"do": [{"f": {"wait": "PT1S"}}]}}},
        {"fork1": {"fork": {"branches": [{"g": {"wait": "PT1S"}}]}}},
    ).do
    loop, try1, fork1 = nested[1].task, nested[2].task, nested[3].task
    assert nested[0].pointer == "/do/0/a~1b"
    assert isinstance(loop, ForTask)
    assert isinstance(try1, TryTask)
    assert isinstance(fork1, ForkTask)
    assert loop.do[0].pointer == "/do/1/loop/do/0/d"
    assert try1.try_[0].pointer == "/do/2/try1/try/0/e"
    assert try1.catch.do is not None
    assert try1.catch.do[0].pointer == "/do/2/try1/catch/do/0/f"
    assert fork1.branches[0].pointer == "/do/3/fork1/fork/branches/0/g"


def test_both_spellings_of_error_details_are_read() -> None:
    for key in ("detail", "details"):
        read = task({"try": [], "catch": {"errors": {"with": {key: "x"}}}})
        assert isinstance(read, TryTask)
        assert read.catch.errors is not None
        assert read.catch.errors.detail == "x"


def test_catch_without_do_is_not_an_empty_do() -> None:
    without, empty = task({"try": [], "catch": {}}), task({"try": [], "catch": {"do": []}})
    assert isinstance(without, TryTask)
    assert isinstance(empty, TryTask)
    assert without.catch.do is None
    assert empty.catch.do == ()


def test_a_retry_policy_is_read_inline_or_by_name() -> None:
    policy = {
        "when": ".a",
        "exceptWhen": ".b",
        "delay": {"seconds": 3},
        "backoff": {"exponential": {}},
        "limit": {"attempt": {"count": 5, "duration": "PT1S"}, "duration": "PT1M"},
        "jitter": {"from": "PT0S", "to": "${ .j }"},
    }
    inline = task({"try": [], "catch": {"retry": policy}})
    named = task({"try": [], "catch": {"retry": "p"}}, use={"retries": {"p": policy}})
    assert isinstance(inline, TryTask)
    assert isinstance(named, TryTask)
    retry = inline.catch.retry
    assert retry == named.catch.retry
    assert retry is not None
    assert (retry.backoff, retry.attempt_count, retry.when, retry.except_when) == (
        "exponential",
        5,
        ".a",
        ".b",
    )
    assert retry.jitter_to is not None
    assert (retry.jitter_to.ms, retry.jitter_to.expression) == (None, ".j")
    assert [part.ms for part in (retry.delay, retry.attempt_duration, retry.duration) if part] == [
        3000,
        1000,
        60_000,
    ]


def test_errors_and_timeouts_are_resolved_by_name() -> None:
    use = {"errors": {"e": {"type": "http://e", "status": 418}}, "timeouts": {"t": {"after": "PT2S"}}}
    read = task({"raise": {"error": "e"}, "timeout": "t"}, use=use)
    assert isinstance(read, RaiseTask)
    assert read.error.status == 418
    assert read.timeout is not None
    assert read.timeout.ms == 2000
    assert codes(load({"raise": {"error": "f"}}, use={"errors": {"e": "f"}})) == ["type", "unknown-reference"]


def test_events_to_listen_to() -> None:
    read = task(
        {
            "listen": {
                "to": {
                    "any": [
                        {
                            "with": {"type": "a"},
                            "correlate": {"k": {"from": ".data.id", "expect": "${ .id }"}},
                        }
                    ],
                    "until": {"one": {"with": {"type": "stop"}}},
                },
                "read": "envelope",
            },
            "foreach": {
                "item": "e",
                "at": "i",
                "do": [{"x": {"set": {"a": "${ $e }"}}}],
                "output": {"as": "."},
            },
        }
    )
    assert isinstance(read, ListenTask)
    assert read.to.filters[0].correlate[0].expect == "${ .id }"
    assert read.to.until_strategy is not None
    assert read.to.until_strategy.mode == "one"
    assert read.foreach is not None
    assert (read.read, read.foreach.item, read.foreach.at) == ("envelope", "e", "i")


def test_listening_goes_on_until_an_expression_holds_or_forever() -> None:
    until, forever = (
        task({"listen": {"to": {"any": [], "until": ".a"}}}),
        task({"listen": {"to": {"any": [], "until": False}}}),
    )
    assert isinstance(until, ListenTask)
    assert isinstance(forever, ListenTask)
    assert (until.to.until, until.to.forever) == (".a", False)
    assert (forever.to.until, forever.to.forever) == (None, True)


def test_switch_for_emit_and_wait() -> None:
    use = {"secrets": ["s"]}
    switch = task({"switch": [{"a": {"when": ".x", "then": "exit"}}, {"b": {"then": "t0"}}]}, use=use)
    assert isinstance(switch, SwitchTask)
    assert [(case.name, case.when, case.then) for case in switch.cases] == [
        ("a", ".x", "exit"),
        ("b", None, "t0"),
    ]
    loop = task({"for": {"in": [1, {"a": "${ .b }"}], "each": "e", "at": "i"}, "while": ".x", "do": []})
    assert isinstance(loop, ForTask)
    assert (loop.in_, loop.each, loop.at, loop.while_) == ([1, {"a": "${ .b }"}], "e", "i", ".x")
    emit = task({"emit": {"event": {"with": {"type": "a", "data": {"x": "${ .y }"}, "ext1": 5}}}})
    assert isinstance(emit, EmitTask)
    assert emit.event == {"type": "a", "data": {"x": "${ .y }"}, "ext1": 5}
    wait = task({"wait": "${\n .delay\n}"})
    assert isinstance(wait, WaitTask)
    assert wait.wait.expression == ".delay"


def call_of(data: Json, **members: Json) -> Json:
    read = task(data, **members)
    assert isinstance(read, CallTask)
    return read.call


def test_http_calls() -> None:
    call = call_of(
        http(
            body=None,
            headers={"n": 5, "t": "${ .t }"},
            query={"k": ["a", "b"]},
            output="response",
            redirect=True,
        )
    )
    assert isinstance(call, CallHttp)
    assert (call.has_body, call.body, call.output, call.redirect) == (True, None, "response", True)
    assert call.query == {"k": ["a", "b"]}
    bare = call_of(http(headers="${ .h }", endpoint="${ .uri }"))
    assert isinstance(bare, CallHttp)
    assert (bare.has_body, bare.headers, bare.endpoint.uri) == (False, "${ .h }", "${ .uri }")


@pytest.mark.parametrize("uri", ["http://a/{b}", "http://a/{b.c}/d?e={f}", "https://u@h:1/p#f", "/relative", "urn:x:y"])
def test_uris_and_templates(uri: str) -> None:
    call = call_of(http(endpoint={"uri": uri}))
    assert isinstance(call, CallHttp)
    assert call.endpoint.uri == uri


def test_authentication_inline_by_name_and_by_secret() -> None:
    basic = {"basic": {"username": "u", "password": "${ $secrets.s }"}}
    use = {"secrets": ["s"], "authentications": {"named": basic, "other": {"oauth2": {"use": "s"}}}}

    def read(authentication: Json) -> Json:
        call = call_of(http(endpoint={"uri": ENDPOINT, "authentication": authentication}), use=use)
        assert isinstance(call, CallHttp)
        return call.endpoint.authentication

    assert read({"use": "named"}) == read(basic) == BasicAuthentication(username="u", password="${ $secrets.s }")
    assert read({"basic": {"use": "s"}}) == BasicAuthentication(use="s")
    assert read({"bearer": {"token": "t"}}) == BearerAuthentication(token="t")
    assert read({"use": "other"}) == OtherAuthentication(scheme="oauth2", settings={"use": "s"})


def test_functions_and_the_calls_that_do_not_run_yet() -> None:
    function = call_of({"call": "fn", "with": {"a": 1}}, use={"functions": {"fn": {"set": {"b": "${ .a }"}}}})
    assert function == CallFunction(name="fn", arguments={"a": 1}, has_arguments=True)
    assert call_of({"call": "fn"}) == CallFunction(name="fn")
    openapi = call_of(
        {
            "call": "openapi",
            "with": {"document": {"endpoint": ENDPOINT}, "operationId": "o", "parameters": {"p": 1}},
        }
    )
    assert isinstance(openapi, CallOpenApi)
    assert (openapi.operation_id, openapi.parameters) == ("o", {"p": 1})
    other = call_of({"call": "a2a", "with": {"method": "message/send"}})
    assert other == CallOther(kind="a2a", arguments={"method": "message/send"})


def test_runs() -> None:
    child = task({"run": {"workflow": {"namespace": "a", "name": "b"}, "await": False}})
    assert isinstance(child, RunTask)
    assert (child.run, child.await_) == (RunWorkflow(namespace="a", name="b", version="latest"), False)
    shell = {"command": "echo", "arguments": {"old": "form"}, "stdin": "${ .x }"}
    process = task({"run": {"shell": shell, "return": "all"}})
    assert isinstance(process, RunTask)
    assert process.run == RunProcess(kind="shell", settings=shell, return_="all")


def test_schedules() -> None:
    loaded = workflow(schedule={"on": {"one": {"with": {"type": "a"}}}, "read": "raw", "cron": "0 0 * * *"})
    assert loaded.schedule is not None
    assert (loaded.schedule.read, loaded.schedule.cron) == ("raw", "0 0 * * *")
    assert codes(load(schedule={})) == ["empty"]
    assert codes(load(schedule={"cron": "0 0 * * *", "read": "raw"})) == ["choice"]
    assert codes(load(schedule={"cron": "daily"})) == ["cron"]


def test_extensions() -> None:
    before = [{"log": {"set": {"a": 1}, "then": "exit"}}]
    read = workflow(use={"extensions": [{"e": {"extend": "call", "when": ".x", "before": before}}]}).use.extensions[0]
    assert (read.name, read.extend, read.when, read.after) == ("e", "call", ".x", None)
    assert read.before is not None
    assert read.before[0].pointer == "/use/extensions/0/e/before/0/log"
    assert codes(load(use={"extensions": [{"e": {"extend": "everything"}}]})) == ["choice"]


def test_members_that_the_schema_leaves_open_are_only_warned_of() -> None:
    loaded = load({"emit": {"event": {"with": {"type": "a"}, "note": 1}}})
    assert loaded.valid
    assert [found.code for found in loaded.warnings] == ["unknown-key"]
