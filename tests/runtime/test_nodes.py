"""Several engines over one PostgreSQL schema: whichever is asked, every run moves on one of them, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from penstock.errors import Conflict, InfrastructureError, NotFound
from penstock.model.json_value import Json
from penstock.model.limits import PARTITIONS
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.store.partitions import partition_of
from penstock.store.postgres import PostgresStore
from penstock.store.shares import Membership
from penstock.tools.contract import ToolDefinition

from .conftest import Service, capturing_log, document
from .test_events import event

pytestmark = [pytest.mark.mission("M131"), pytest.mark.slow]

WAITS = document("waits", "- w: {wait: {hours: 1}}\n")
ADDS = document("adds", "- w: {wait: {milliseconds: 50}}\n- s: {set: {n: '${ .n + 1 }'}}\n")


class Nodes:
    """Engines over one store, closed together."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self.engines: list[Engine] = []

    async def add(self, **changes: str | int) -> Engine:
        engine = Engine(msgspec.structs.replace(self._settings, node_name=f"n{len(self.engines)}", **changes))
        await self._stack.enter_async_context(engine)
        self.engines.append(engine)
        return engine

    async def even(self, engines: Sequence[Engine]) -> None:
        """Returns when all partitions are owned by these engines, evenly."""
        part = PARTITIONS // len(engines)
        await until(lambda: sum(len(owned(engine)) for engine in engines) == PARTITIONS)
        await until(lambda: all(len(owned(engine)) >= part for engine in engines))


def owned(engine: Engine) -> frozenset[int]:
    return engine._parts.shares.owned


def owner(engines: Sequence[Engine], run_id: str) -> Engine:
    (found,) = [engine for engine in engines if partition_of(run_id) in owned(engine)]
    return found


def another(engines: Sequence[Engine], run_id: str) -> Engine:
    return next(engine for engine in engines if partition_of(run_id) not in owned(engine))


async def until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - engines are looked at
            await asyncio.sleep(0.01)


async def until_found(true: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not await true():  # noqa: ASYNC110 - the store is looked at
            await asyncio.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str) -> Settings:
    return Settings(store=postgres_url, data_dir=str(tmp_path), log_level="error", lease_s=2)


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        yield Nodes(settings, stack)


@pytest.fixture
async def three(nodes: Nodes) -> list[Engine]:
    engines = [await nodes.add() for _ in range(3)]
    await nodes.even(engines)
    return engines


@pytest.fixture
async def two(nodes: Nodes) -> list[Engine]:
    engines = [await nodes.add() for _ in range(2)]
    await nodes.even(engines)
    return engines


async def test_the_first_node_gets_everything_and_shares_it_with_those_that_come(nodes: Nodes) -> None:
    first = await nodes.add()
    assert len(owned(first)) == PARTITIONS
    second, third = await nodes.add(), await nodes.add()
    await nodes.even([first, second, third])
    rows = await second.nodes()
    assert [row.name for row in rows] == ["n0", "n1", "n2"]
    assert frozenset().union(*(row.partitions for row in rows)) == frozenset(range(PARTITIONS))
    assert b"penstock_nodes 3.0" in first.metrics.render()


async def test_runs_start_on_every_node_and_end_wherever_they_are_waited_for(three: list[Engine]) -> None:
    await three[0].deploy(ADDS)
    starts = [three[n % 3].start_run("test", "adds", "latest", {"n": n}) for n in range(30)]
    runs = await asyncio.gather(*starts)
    assert all(owner(three, run.id) is three[n % 3] for n, run in enumerate(runs))
    done = await asyncio.gather(*(three[(n + 1) % 3].wait_run(run.id, 20) for n, run in enumerate(runs)))
    assert [view.output for view in done] == [{"n": n + 1} for n in range(30)]


async def test_a_node_without_partitions_has_others_begin_its_runs(nodes: Nodes) -> None:
    front = await nodes.add(roles="api")
    await front.deploy(ADDS)
    early = await front.start_run("test", "adds", "latest", {"n": 0})
    assert early.status == "pending"
    engine = await nodes.add(roles="engine")
    done = await front.wait_run(early.id, 20)
    assert (done.status, done.output) == ("completed", {"n": 1})
    runs = await asyncio.gather(*(front.start_run("test", "adds", "latest", {"n": n}) for n in range(20)))
    ends = await asyncio.gather(*(front.run_end(run.id) for run in runs))
    assert [state.status for state in ends] == ["completed"] * 20
    assert not owned(front) and len(owned(engine)) == PARTITIONS
    later = await front.start_run("test", "adds", "latest", {"n": 5}, at=front.clock.now_ms() + 300)
    done = await front.wait_run(later.id, 20)
    assert done.status == "completed" and done.ended_at >= done.created_at + 300
    again = await front.retry(later.id)
    assert (await front.wait_run(again.id, 20)).output == {"n": 6}


async def test_starts_with_one_key_on_several_nodes_are_one_run(nodes: Nodes, two: list[Engine]) -> None:
    front = await nodes.add(roles="api")
    await front.deploy(ADDS)
    for round_ in range(5):
        starts = [
            engine.start_run("test", "adds", "latest", {"n": 1}, idempotency_key=f"k{round_}")
            for engine in (*two, front) * 2
        ]
        assert len({run.id for run in await asyncio.gather(*starts)}) == 1
    with pytest.raises(Conflict):
        await front.start_run("test", "adds", "latest", {"n": 2}, idempotency_key="k0")


async def test_runs_are_steered_through_any_node(three: list[Engine]) -> None:
    await three[0].deploy(WAITS)
    run = await three[0].start_run("test", "waits", "latest", {})
    wrong = another(three, run.id)
    assert (await wrong.suspend(run.id)).status == "suspended"
    assert (await wrong.resume(run.id)).status == "waiting"
    assert (await wrong.resume(run.id)).status == "waiting", "to a run that is not held it means nothing"
    assert (await wrong.cancel(run.id, "enough")).status == "cancelled"
    for act in (wrong.cancel, wrong.suspend, wrong.resume):
        with pytest.raises(Conflict):
            await act(run.id)
        with pytest.raises(NotFound):
            await act("01a3185c-8fe2-77b2-a5a9-66d727b15e51")
    store = wrong._parts.store
    await until_found(lambda: nothing_waits(store.inbox_rows, run.id))


async def nothing_waits(rows: Callable[[Sequence[int]], Awaitable[Sequence[object]]], run_id: str) -> bool:
    """No message of these tests is beyond the first hundred."""
    return not await rows(list(range(100)))


async def test_a_run_elsewhere_is_seen_live(three: list[Engine]) -> None:
    text = document("lives", "- w: {wait: {milliseconds: 300}}\n- v: {wait: {milliseconds: 300}}\n")
    await three[0].deploy(text)
    run = await three[0].start_run("test", "lives", "latest", {})
    wrong = another(three, run.id)
    came: list[float] = []
    types: list[str] = []
    async with asyncio.timeout(20):
        async for _, fact in wrong.stream(run.id):
            came.append(asyncio.get_running_loop().time())
            types.append(fact["type"])
    assert types[-1] == "io.serverlessworkflow.workflow.completed.v1"
    assert came[-1] - came[0] > 0.4, "the stream was live"


async def test_events_reach_listeners_on_every_node_in_order(three: list[Engine]) -> None:
    text = document(
        "hears",
        "- l: {listen: {to: {any: [{with: {type: told}}], until: '${ length >= 10 }'}}, "
        "output: {as: '${ [.[].n] }'}}\n",
    )
    await three[0].deploy(text)
    runs = await asyncio.gather(*(engine.start_run("test", "hears", "latest", {}) for engine in three * 4))
    for n in range(10):
        await three[n % 3].publish([event("told", {"n": n})])
    for run in runs:
        done = await another(three, run.id).wait_run(run.id, 20)
        assert (done.status, done.output) == ("completed", list(range(10)))


async def test_events_are_streamed_by_nodes_that_did_not_take_them(two: list[Engine]) -> None:
    following = asyncio.create_task(first_event(two[1]))
    async with asyncio.timeout(20):
        while not following.done():
            await two[0].publish([event("told")])
            await asyncio.wait((following,), timeout=0.05)
    assert (await following)["type"] == "told"


async def first_event(engine: Engine) -> dict[str, Json]:
    async for _, came in engine.stream_events():
        return came
    raise AssertionError("the stream has ended")


async def test_children_may_be_other_nodes_runs(three: list[Engine]) -> None:
    child = document("child", "- s: {set: {n: '${ .n * 2 }'}}\n")
    call = "{run: {workflow: {namespace: test, name: child, version: '1.0.0', input: {n: '${ $item }'}}}}"
    parent = document("parent", "- l: {for: {in: '${ [range(12)] }'}, do: [{r: " + call + "}]}\n")
    await three[0].deploy(child)
    await three[0].deploy(parent)
    run = await three[1].start_run("test", "parent", "latest", {})
    assert (await three[2].wait_run(run.id, 20)).status == "completed"
    children = await three[0].list_runs(namespace="test", name="child")
    assert len(children) == 12
    assert len({owner(three, row.id) for row in children}) > 1


async def test_a_tool_that_one_node_was_given_is_used_by_the_others(two: list[Engine], service: Service) -> None:
    await two[0].deploy(document("calls", "- c: {call: 'greet', with: {}}\n"))
    runs = [await engine.start_run("test", "calls", "latest", {}) for engine in two]
    await until_found(lambda: both_wait(two, [run.id for run in runs]))
    transport = {"kind": "http", "method": "post", "endpoint": service.url}
    tool = msgspec.convert({"name": "greeter", "capability": "greet", "transport": transport}, ToolDefinition)
    await two[0].put_tool(tool)
    for run in runs:
        assert (await two[0].wait_run(run.id, 20)).status == "completed"
    await two[1].delete_tool("greeter")
    await until_found(lambda: lacks(two[0]))


async def both_wait(engines: Sequence[Engine], run_ids: Sequence[str]) -> bool:
    views = [await owner(engines, run_id).get_run(run_id) for run_id in run_ids]
    return all(view.tasks and view.tasks[-1].reason for view in views)


async def lacks(engine: Engine) -> bool:
    return not await engine.list_tools()


async def test_secrets_are_known_to_all(two: list[Engine]) -> None:
    await two[0].put_secret("word", "open")
    await until_found(lambda: knows(two[1], ["word"]))
    await two[1].delete_secret("word")
    await until_found(lambda: knows(two[0], []))


async def knows(engine: Engine, names: list[str]) -> bool:
    return await engine.list_secrets() == names


async def test_nodes_come_and_go_while_runs_go_on(nodes: Nodes, service: Service) -> None:
    call = f"{{call: http, with: {{method: post, endpoint: '{service.url}/c', body: {{n: '${{ .n }}'}}}}}}"
    text = document(
        "long",
        "- a: {wait: {milliseconds: 200}}\n"
        f"- c: {call}\n"
        "- b: {wait: {milliseconds: 200}}\n"
        f"- d: {call}\n"
        "- e: {wait: {milliseconds: 400}}\n",
    )
    first = await nodes.add()
    await first.deploy(text)
    runs: list[str] = []
    second = Engine(msgspec.structs.replace(first.settings, node_name="second"))
    third = Engine(msgspec.structs.replace(first.settings, node_name="third"))

    async def starting() -> None:
        for n in range(60):
            runs.append((await first.start_run("test", "long", "latest", {"n": n})).id)
            await asyncio.sleep(0.02)

    load = asyncio.create_task(starting())
    async with second:
        await until(lambda: len(owned(second)) > 0)
        async with third:
            await nodes.even([first, second, third])
        await nodes.even([first, second])
    await load
    await until(lambda: len(owned(first)) == PARTITIONS)
    for run_id in runs:
        done = await first.wait_run(run_id, 30)
        assert done.status == "completed", done
        history = (await first.history(run_id, 0, 1000)).events
        types = [fact["type"] for fact in history]
        assert types.count("io.serverlessworkflow.workflow.completed.v1") == 1
        assert len({fact["id"] for fact in history}) == len(history)
    assert len(set(service.keys)) == 2 * len(runs), "every call was made, and under its own key if more than once"


async def test_a_node_that_was_expelled_writes_nothing_and_comes_back_as_a_new_member(two: list[Engine]) -> None:
    stuck, healthy = two
    await stuck.deploy(ADDS)
    await stuck.deploy(WAITS)
    held = await stuck.start_run("test", "waits", "latest", {})
    assert owner(two, held.id) is stuck
    store, before = stuck._parts.store, stuck._parts.shares.node
    renew, blocked = store.renew, asyncio.Event()

    async def silent() -> object:
        await blocked.wait()
        return await renew()

    store.renew = silent  # type: ignore[method-assign]
    stuck._parts.renew_soon.set()
    await until(lambda: len(owned(healthy)) == PARTITIONS)
    with pytest.raises(InfrastructureError):
        stuck.check_ready()
    assert owned(stuck), "it does not know yet"
    # Asked to move a run that is another's by now, it finds out, and the request goes the other way.
    assert (await stuck.cancel(held.id)).status == "cancelled"
    assert (await healthy.get_run(held.id)).status == "cancelled"
    started = await stuck.start_run("test", "adds", "latest", {"n": 1})
    assert (await healthy.wait_run(started.id, 20)).output == {"n": 2}
    blocked.set()
    await until(lambda: stuck._parts.shares.node != before)
    await until(lambda: len(owned(stuck)) == PARTITIONS // 2 == len(owned(healthy)))
    stuck.check_ready()
    run = await stuck.start_run("test", "adds", "latest", {"n": 7})
    assert owner(two, run.id) is stuck
    assert (await healthy.wait_run(run.id, 20)).output == {"n": 8}


async def test_an_answer_for_a_run_that_moved_away_finds_it(nodes: Nodes, service: Service) -> None:
    """A call that ends while its run moves to another node: its answer counts, and it is not made again."""
    service.gate.clear()
    first = await nodes.add()
    await first.deploy(document("c", f"- c: {{call: http, with: {{method: get, endpoint: '{service.url}/c'}}}}\n"))
    runs = [(await first.start_run("test", "c", "latest", {})).id for _ in range(20)]
    await until(lambda: len(service.keys) == 20)
    joining = asyncio.create_task(nodes.add())
    await until(lambda: bool(first._parts.shares.leaving))
    service.gate.set()
    second = await joining
    for run_id in runs:
        assert (await second.wait_run(run_id, 20)).status == "completed"
    await nodes.even([first, second])
    assert len(service.keys) == len(set(service.keys)) == 20


async def test_a_node_that_waits_for_its_first_runs_says_for_whom(settings: Settings) -> None:
    log, lines = capturing_log()
    silent = PostgresStore(settings.store_url)
    await silent.open()
    await silent.join(Membership(name="silent", lease_ms=60_000), lambda _: None)
    assert len((await silent.renew()).held) == PARTITIONS
    async with Engine(settings, log=log):
        await until(lambda: any("holds no runs yet" in str(line["event"]) for line in lines))
    await silent.close()
    (told,) = [line for line in lines if "holds no runs yet" in str(line["event"])]
    assert list(told["nodes"]) == ["silent"]
