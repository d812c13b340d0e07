"""The engine end to end: real store, real kernel, real workers, real HTTP on loopback."""

import asyncio

import pytest

from penstock.errors import CallerError, Conflict, NotFound, Unprocessable
from penstock.kernel import codec
from penstock.model.limits import MAX_RUN_DEPTH
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.tools.contract import HttpTransport, ToolDefinition

from .conftest import Service, document, opened, run_to_end, stored_bytes


async def until(engine: Engine, run_id: str, *statuses: str) -> None:
    """Returns once the run has one of these; driven by its live stream."""
    with engine._parts.watching.run(run_id) as moved:
        async with asyncio.timeout(20):
            while (await engine.get_run(run_id)).status not in statuses:
                await moved.wait()
                moved.clear()


async def test_a_run_of_native_and_other_expressions_completes(engine: Engine) -> None:
    run = await run_to_end(
        engine, document("a", "- x: {set: {a: '${ .n + 1 }', b: '${ [range(.n)] | add }'}}\n"), {"n": 4}
    )
    assert (run.status, run.output) == ("completed", {"a": 5, "b": 6})
    assert [(task.name, task.status) for task in run.tasks] == [("x", "completed")]


async def test_a_call_carries_its_key_and_gives_the_answer(engine: Engine, service: Service) -> None:
    text = document("call", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n")
    run = await run_to_end(engine, text)
    assert run.output == {"ok": True, "path": "/p"}
    assert len(service.keys) == 1 and service.keys[0]


async def test_cancelling_a_run_reaches_the_outgoing_call(engine: Engine, service: Service) -> None:
    service.gate.clear()
    text = document("cancelled", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n")
    await engine.deploy(text)
    run = await engine.start_run("test", "cancelled", "latest", {})
    await asyncio.wait_for(service.came.wait(), 10)
    assert (await engine.cancel(run.id)).status == "cancelled"
    await asyncio.wait_for(service.dropped.wait(), 10)
    with pytest.raises(Conflict):
        await engine.cancel(run.id)


async def test_a_suspended_run_keeps_the_answer_until_it_is_resumed(engine: Engine, service: Service) -> None:
    service.gate.clear()
    text = document("held", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n")
    await engine.deploy(text)
    run = await engine.start_run("test", "held", "latest", {})
    await asyncio.wait_for(service.came.wait(), 10)
    assert (await engine.suspend(run.id)).status == "suspended"
    service.gate.set()
    with engine._parts.watching.run(run.id) as moved:
        await asyncio.wait_for(moved.wait(), 10)
    assert (await engine.get_run(run.id)).status == "suspended"
    await engine.resume(run.id)
    assert (await engine.wait_run(run.id, 10)).status == "completed"
    assert len(service.keys) == 1


async def test_starting_twice_with_one_key_is_one_run(engine: Engine) -> None:
    await engine.deploy(document("once", "- x: {set: {a: 1}}\n"))
    starts = [engine.start_run("test", "once", "latest", {"n": 1}, idempotency_key="k") for _ in range(5)]
    runs = await asyncio.gather(*starts)
    assert len({run.id for run in runs}) == 1
    with pytest.raises(Conflict):
        await engine.start_run("test", "once", "latest", {"n": 2}, idempotency_key="k")
    assert len(await engine.list_runs()) == 1


async def test_a_later_start_waits_and_can_be_cancelled(engine: Engine) -> None:
    await engine.deploy(document("later", "- x: {set: {a: 1}}\n"))
    soon = await engine.start_run("test", "later", "latest", {}, at=engine.clock.now_ms() + 150)
    never = await engine.start_run("test", "later", "latest", {}, at=engine.clock.now_ms() + 3_600_000)
    assert (soon.status, never.status) == ("pending", "pending")
    assert (await engine.cancel(never.id)).status == "cancelled"
    done = await engine.wait_run(soon.id, 10)
    assert (done.status, done.output) == ("completed", {"a": 1})
    assert (await engine.state_at(soon.id, 1))["status"] == "pending"
    assert (await engine.state_at(soon.id, 2))["status"] == "completed"


async def test_a_later_start_survives_a_restart(settings: Settings) -> None:
    async with opened(settings) as engine:
        await engine.deploy(document("later", "- x: {set: {a: 1}}\n"))
        run = await engine.start_run("test", "later", "latest", {"i": 1}, at=engine.clock.now_ms() + 300)
    async with opened(settings) as engine:
        done = await engine.wait_run(run.id, 10)
        assert (done.status, done.output, done.input) == ("completed", {"a": 1}, {"i": 1})


async def test_versions_labels_and_lists(engine: Engine) -> None:
    for version in ("1.2.9", "1.2.10", "2.0.0-rc.1"):
        await engine.deploy(document("v", f"- x: {{set: {{v: '{version}'}}}}\n", version=version))
    run = await engine.start_run("test", "v", "latest", {}, labels={"team": "a"})
    assert run.version == "1.2.10"
    assert [row.id for row in await engine.list_runs(labels={"team": "a"})] == [run.id]
    assert await engine.list_runs(labels={"team": "b"}) == []
    with pytest.raises(NotFound):
        await engine.start_run("test", "nobody", "latest", {})


async def test_the_same_version_with_other_content_is_a_conflict(engine: Engine) -> None:
    text = document("same", "- x: {set: {a: 1}}\n")
    assert (await engine.deploy(text)).created
    assert not (await engine.deploy(text + "\n# a comment\n")).created
    with pytest.raises(Conflict):
        await engine.deploy(document("same", "- x: {set: {a: 2}}\n"))


async def test_a_document_that_is_wrong_is_refused_with_its_place(engine: Engine) -> None:
    with pytest.raises(Unprocessable) as caught:
        await engine.deploy(document("bad", "- x: {set: {a: '${ [range(3) | foo(1) }'}}\n"))
    assert caught.value.errors
    result = await engine.check(document("bad", "- x: {set: {a: '${ .a | nosuchfunction(1) }'}}\n"))
    assert not result.valid and result.diagnostics[0].line == 3


async def test_a_child_gives_its_output_and_an_unknown_one_its_fault(engine: Engine) -> None:
    await engine.deploy(document("child", "- x: {set: {double: '${ .n * 2 }'}}\n"))
    run_child = "{run: {workflow: {namespace: test, name: %s, version: latest, input: {n: 21}}}}\n"
    run = await run_to_end(engine, document("parent", "- p: " + run_child % "child"))
    assert (run.status, run.output) == ("completed", {"double": 42})
    children = [row for row in await engine.list_runs() if row.parent_id == run.id]
    assert [row.name for row in children] == ["child"]
    run = await run_to_end(engine, document("orphan", "- p: " + run_child % "nobody"))
    assert run.status == "faulted" and run.error["status"] == 400 and "nobody" in run.error["detail"]


async def test_runs_that_start_themselves_end_at_the_depth_limit(engine: Engine) -> None:
    tasks = "- p: {run: {workflow: {namespace: test, name: deep, version: latest}}}\n"
    run = await run_to_end(engine, document("deep", tasks), timeout_s=60)
    assert run.status == "faulted"
    assert len(await engine.list_runs(limit=100)) == MAX_RUN_DEPTH + 1
    deepest = (await engine.list_runs(limit=1))[0]
    error = (await engine.get_run(deepest.id)).error
    assert error is not None and str(MAX_RUN_DEPTH) in error["detail"]


async def test_a_capability_without_a_tool_waits_and_says_why(engine: Engine, service: Service) -> None:
    await engine.deploy(document("cap", "- c: {call: checknumber, with: {n: 1}}\n"))
    run = await engine.start_run("test", "cap", "latest", {})
    await until(engine, run.id, "running", "waiting")
    async with asyncio.timeout(10):
        while not (task := (await engine.get_run(run.id)).tasks[0]).reason.startswith("no tool"):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "checknumber" in task.reason
    tool = ToolDefinition("svc", "checknumber", HttpTransport(f"{service.url}/check"))
    assert (await engine.put_tool(tool)).definition == tool
    assert (await engine.wait_run(run.id, 10)).status == "completed"
    assert service.bodies == [{"n": 1}]
    assert await engine.capabilities() == {"checknumber": ["svc"]}


async def test_retrying_begins_before_the_task_that_failed(engine: Engine, service: Service) -> None:
    service.status = 500
    tasks = (
        "- a: {set: {n: '${ .n + 1 }'}, export: {as: '${ {seen: .n} }'}}\n"
        f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}}}\n"
        "- z: {set: {c: '${ $context.seen }', ok: '${ .ok }'}}\n"
    )
    run = await run_to_end(engine, document("retry", tasks), {"n": 1})
    assert run.status == "faulted" and run.error["instance"] == "/do/1/c"
    service.status = 200
    again = await engine.wait_run((await engine.retry(run.id)).id, 10)
    assert (again.status, again.output, again.retry_of) == ("completed", {"c": 2, "ok": True}, run.id)
    assert [task.name for task in again.tasks] == ["c", "z"]
    assert service.keys[0] != service.keys[1]
    first = await engine.wait_run((await engine.retry(run.id, "/do/0/a")).id, 10)
    assert [task.name for task in first.tasks] == ["a", "c", "z"]
    with pytest.raises(Unprocessable):
        await engine.retry(run.id, "/do/0/a/do/0/b")
    twice = await engine.wait_run((await engine.retry(again.id, "/do/1/c")).id, 10)
    assert (twice.status, twice.output) == ("completed", {"c": 2, "ok": True})


async def test_secrets_reach_the_call_and_nothing_else(engine: Engine, service: Service, settings: Settings) -> None:
    await engine.put_secret("token", "s3cr3t-value-xyz")
    call = (
        "- c: {call: http, with: {method: post, "
        f"endpoint: {{uri: '{service.url}/p', authentication: {{bearer: {{token: '${{ $secrets.token }}'}}}}}}, "
        "body: {t: '${ $secrets.token | ascii_upcase }', a: '${ $authorization.scheme }'}}}\n"
    )
    run = await run_to_end(engine, document("secret", call, more="use: {secrets: [token]}\n"))
    assert run.status == "completed", run.error
    assert service.headers[0]["Authorization"] == "Bearer s3cr3t-value-xyz"
    assert service.bodies == [{"t": "S3CR3T-VALUE-XYZ", "a": "Bearer"}]
    data = await stored_bytes(settings.store_url)
    assert b'"bearer"' in data
    assert b"s3cr3t-value" not in data and b"S3CR3T-VALUE" not in data


async def test_a_secret_that_does_not_exist_is_a_fault_403(engine: Engine, service: Service) -> None:
    given = f"{{method: get, endpoint: '{service.url}/p', headers: {{x: '${{ $secrets.no }}'}}}}"
    call = f"- c: {{call: http, with: {given}}}\n"
    run = await run_to_end(engine, document("nosecret", call, more="use: {secrets: ['no']}\n"))
    assert run.status == "faulted" and run.error["status"] == 403 and not service.keys


@pytest.mark.parametrize("failing", ["| tonumber", "| error", "| error({a: .})", "+ 1"])
@pytest.mark.parametrize("place", ["call", "set"])
async def test_a_failing_expression_does_not_quote_its_secret(
    engine: Engine, service: Service, settings: Settings, failing: str, place: str
) -> None:
    await engine.put_secret("token", "s3cr3t-value-xyz")
    expression = f"'${{ $secrets.token {failing} }}'"
    call = f"{{call: http, with: {{method: get, endpoint: '{service.url}/p', headers: {{x: {expression}}}}}}}"
    task = call if place == "call" else f"{{set: {{x: {expression}}}}}"
    run = await run_to_end(engine, document("quoting", f"- c: {task}\n", more="use: {secrets: [token]}\n"))
    assert run.status == "faulted" and run.error["type"].endswith("/expression")
    data = await stored_bytes(settings.store_url)
    assert b"quoting" in data
    assert b"s3cr3t" not in data


async def test_the_stream_of_a_run_ends_with_it(engine: Engine) -> None:
    await engine.deploy(document("w", "- w: {wait: {milliseconds: 100}}\n"))
    run = await engine.start_run("test", "w", "latest", {})
    types = [event["type"].rsplit(".", 3)[1:3] async for _, event in engine.stream(run.id)]
    assert types[0] == ["workflow", "started"] and types[-1] == ["workflow", "completed"]
    page = await engine.history(run.id, 0, 3)
    rest = await engine.history(run.id, page.next or 0, 100)
    assert len(page.events) == 3 and len(page.events) + len(rest.events) == len(types)


async def test_ended_runs_can_be_deleted_and_live_ones_not(engine: Engine) -> None:
    await engine.deploy(document("d", "- w: {wait: {hours: 1}}\n"))
    run = await engine.start_run("test", "d", "latest", {})
    with pytest.raises(Conflict):
        await engine.delete_run(run.id)
    await engine.cancel(run.id)
    await engine.delete_run(run.id)
    with pytest.raises(NotFound):
        await engine.get_run(run.id)


async def test_bad_input_is_the_callers_mistake(engine: Engine) -> None:
    await engine.deploy(document("i", "- x: {set: {a: 1}}\n"))
    with pytest.raises(CallerError):
        await engine.start_run("test", "i", "latest", float("nan"))
    with pytest.raises(CallerError):
        await engine.start_run("test", "i", "latest", "x" * 300_000)


async def test_the_journal_gives_the_same_state_again(engine: Engine, service: Service) -> None:
    """Replaying every message from the first gives, byte for byte, the state that is stored."""
    tasks = (
        "- a: {set: {n: '${ [range(.n)] | add }', big: '${ [range(3000)] | map(tostring) | join(\"-\") }'}}\n"
        f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/p'}}, export: {{as: '${{ {{c: 1}} }}'}}}}\n"
        "- w: {wait: {milliseconds: 5}}\n"
        "- f: {fork: {branches: [{x: {wait: {milliseconds: 1}}}, {y: {set: {y: '${ now | floor > 0 }'}}}]}}\n"
        "- z: {wait: {milliseconds: 1}}\n"
    )
    run = await run_to_end(engine, document("again", tasks), {"n": 4})
    assert run.status == "completed", run.error
    live = await engine._parts.live.read(run.id)
    assert live is not None and live.state.version == run.seq > 3
    replayed = await engine._parts.history._replayed(run.id, run.seq)
    assert codec.encode_state(replayed) == codec.encode_state(live.state)
