"""The engine inside a program: results, faults, cancellation, and what is refused."""

import asyncio
from pathlib import Path

import pytest

import penstock
from penstock import Engine, RunCancelled, RunFaulted
from penstock.errors import CallerError, Conflict, InfrastructureError, NotFound, StoreInUse, TooLarge, Unprocessable
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DOCUMENT_BYTES
from tests.sdk.conftest import calling

FAILING = """
document: {dsl: '1.0.3', namespace: test, name: failing, version: '1.0.0'}
do:
- no: {raise: {error: {type: 'https://example.com/no', status: 418, title: 'No tea'}}}
"""
LISTENING = """
document: {dsl: '1.0.3', namespace: test, name: listening, version: '1.0.0'}
do:
- hear: {listen: {to: {one: {with: {type: told}}}}, output: {as: '${ .[0] }'}}
"""


async def test_a_document_runs_to_its_output(engine: Engine) -> None:
    engine.tool("double", lambda given: {"n": given["n"] * 2})
    assert await engine.run(calling("double", "double"), {"n": 3}, timeout=20) == {"n": 12}


async def test_a_map_is_a_document_too(engine: Engine) -> None:
    document: dict[str, Json] = {
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "map", "version": "1.0.0"},
        "do": [{"put": {"set": {"done": True}}}],
    }
    assert await engine.run(document, timeout=20) == {"done": True}


@pytest.mark.parametrize("as_text", [True, False])
async def test_a_file_is_deployed_by_its_path(engine: Engine, tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "workflow.yaml"
    path.write_text(calling("echo"), encoding="utf-8")
    deployed = await engine.deploy(str(path) if as_text else path)
    assert (str(deployed), deployed.created) == ("test/calls:1.0.0", True)
    assert deployed.warnings, "nobody provides the capability yet"
    assert not (await engine.deploy(path)).created


async def test_a_file_that_cannot_be_read_is_the_callers_mistake(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="cannot read"):
        await engine.deploy(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(TooLarge):
        await engine.deploy(tmp_path / "large.yaml")


async def test_an_invalid_document_says_where(engine: Engine) -> None:
    with pytest.raises(Unprocessable) as refused:
        await engine.deploy(calling("echo").replace("call:", "cal:"))
    assert refused.value.errors[0].line == 3


async def test_a_result_that_is_changed_changes_nothing(engine: Engine) -> None:
    await engine.deploy(calling("echo"))
    engine.tool("echo", lambda given: given)
    run = await engine.start("test/calls", {"items": [1]})
    (await run.result(20))["items"].append(2)
    assert await run.result(20) == {"items": [1]}
    assert await run.status() == "completed"


async def test_a_faulted_run_raises_its_fault(engine: Engine) -> None:
    await engine.deploy(FAILING)
    run = await engine.start("test/failing:1.0.0")
    with pytest.raises(RunFaulted, match="418 No tea") as ended:
        await run.result(20)
    assert (ended.value.run_id, ended.value.fault.status, ended.value.fault.instance) == (run.id, 418, "/do/0/no")
    assert await run.status() == "faulted"


async def test_the_time_that_a_program_waits_does_not_end_the_run(engine: Engine) -> None:
    await engine.deploy(LISTENING)
    run = await engine.start("test/listening")
    with pytest.raises(TimeoutError):
        await run.result(timeout=0.01)
    event = {"specversion": "1.0", "id": "1", "source": "/test", "type": "told", "data": {"n": 1}}
    assert await engine.publish(event) == 1
    assert await engine.publish(event) == 0, "an event counts once"
    assert await run.result(20) == {"n": 1}


async def test_a_cancelled_run_has_no_result(engine: Engine) -> None:
    await engine.deploy(LISTENING)
    run = await engine.start("test/listening")
    waiting = asyncio.create_task(run.result(20))
    assert await run.cancel("not needed")
    with pytest.raises(RunCancelled):
        await waiting
    assert not await run.cancel(), "it has ended"
    assert await engine.get(run.id).status() == "cancelled"


async def test_the_same_key_starts_one_run(engine: Engine) -> None:
    engine.tool("echo", lambda given: given)
    deployed = await engine.deploy(calling("echo"))
    runs = await asyncio.gather(*(engine.start(deployed, {"n": 1}, key="order-7") for _ in range(20)))
    assert len({run.id for run in runs}) == 1
    assert await runs[0].result(20) == {"n": 1}
    assert (await engine.start("test/calls", {"n": 1}, key="other")).id != runs[0].id
    with pytest.raises(Conflict):
        await engine.start(deployed, {"n": 2}, key="order-7")


async def test_a_new_version_is_the_latest_at_once_and_a_deleted_one_is_not(engine: Engine) -> None:
    document = (
        "document: {{dsl: '1.0.3', namespace: test, name: v, version: '{0}'}}\ndo: [{{a: {{set: {{v: '{0}'}}}}}}]"
    )
    for version in ("1.0.0", "1.1.0"):
        await engine.deploy(document.format(version))
        assert await (await engine.start("test/v")).result(20) == {"v": version}
    await engine.runtime.delete_workflow("test", "v", "1.1.0")
    assert await (await engine.start("test/v")).result(20) == {"v": "1.0.0"}
    with pytest.raises(NotFound):
        await engine.start("test/v:1.1.0")


@pytest.mark.parametrize("name", ["", "name", "/name", "space/", "a/b/c"])
async def test_what_names_no_workflow_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(CallerError, match="names no workflow"):
        await engine.start(name)


async def test_an_unknown_workflow_and_an_unknown_run_are_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await engine.start("test/none")
    with pytest.raises(NotFound):
        await engine.get("01900000-0000-7000-8000-000000000000").result(20)


async def test_a_file_has_one_engine(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'engine.db'}"
    async with Engine(store):
        with pytest.raises(StoreInUse, match="one engine per database file"):
            async with Engine(store):
                pass


async def test_the_key_of_the_secrets_lies_beside_the_database(tmp_path: Path) -> None:
    document = """
document: {dsl: '1.0.3', namespace: test, name: secret, version: '1.0.0'}
use: {secrets: [pin]}
do:
- say: {set: {length: '${ $secrets.pin | length }'}}
"""
    store = f"sqlite:{tmp_path / 'engine.db'}"
    async with Engine(store) as engine:
        await engine.put_secret("pin", "12345")
    assert (tmp_path / "engine.db.key").stat().st_mode & 0o777 == 0o600
    async with Engine(store) as engine:
        assert await engine.run(document, timeout=30) == {"length": 5}


async def test_what_waits_when_the_engine_closes_is_told_and_goes_on_next_time(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'engine.db'}"
    async with Engine(store) as engine:
        await engine.deploy(LISTENING)
        run = await engine.start("test/listening")
        waiting = asyncio.create_task(run.result())
        assert await run.status() == "waiting"
    with pytest.raises(InfrastructureError, match="stopping"):
        await waiting
    async with Engine(store) as engine:
        await engine.publish({"specversion": "1.0", "id": "1", "source": "/test", "type": "told", "data": 7})
        assert await engine.get(run.id).result(20) == 7


async def test_an_engine_that_is_not_open_says_so() -> None:
    with pytest.raises(InfrastructureError, match="not open"):
        await Engine("memory:").start("test/calls")


def test_the_package_offers_what_it_names_and_nothing_else() -> None:
    assert [name for name in penstock.__all__ if not hasattr(penstock, name)] == []
    assert not hasattr(penstock, "Nothing")
