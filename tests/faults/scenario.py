"""How every test of faults goes: load while there is trouble, then an end to all trouble, then a look at everything."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import aiohttp
import msgspec

from penstock.model.limits import PARTITIONS
from tests.faults.cluster import Cluster, Node, clustered
from tests.faults.database import Database, looking
from tests.faults.load import Load, starts_of
from tests.faults.oracle import Examination, examine
from tests.faults.service import Service, serving
from tests.faults.workflows import plans
from tests.postgres_server import PostgresServer

LEASE_S: Final = 2
STARTS: Final = 200
TROUBLE_S: Final = 15.0
END_S: Final = 45.0
"""What all runs together have to end once nothing fails any more: many times what they need on a quiet machine."""
_LOOK_S: Final = 0.05
_GAUGE: Final = re.compile(r"penstock_\w*(calls|messages|nodes|partitions|timers|queue|waiting)\w* ")


class World(msgspec.Struct):
    """All that takes part in one test."""

    random: Random
    cluster: Cluster
    service: Service
    load: Load
    database: Database
    measured: list[str] = []

    def note(self, text: str) -> None:
        """Something measured, printed at the end."""
        self.measured.append(text)


Trouble = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def world(
    directory: Path,
    server: PostgresServer,
    seed: str,
    *,
    roles: tuple[str, ...] = ("", "", ""),
    asked: Callable[[Cluster], list[Node]] = lambda cluster: cluster.serving,
    starts: int = STARTS,
    hung: float = 0.05,
) -> AsyncIterator[World]:
    """Nodes in these roles over a schema of their own; clients ask those that `asked` names."""
    random = Random(seed)
    schema = "faults_" + "".join(random.choices("abcdefghijklmnop", k=12))
    service = Service(Random(f"{seed}/service"), hung=hung)
    async with serving(service), clustered(directory, server, schema, lease_s=LEASE_S, roles=roles) as cluster:
        kinds = plans(service.url)
        begun = starts_of(random, kinds, count=starts, over_s=(TROUBLE_S - 1) * starts / STARTS)
        load = Load(lambda: asked(cluster), Random(f"{seed}/clients"), kinds, begun)
        async with looking(server, schema) as database, load:
            await even(database, cluster.engines)
            await load.deploy()
            yield World(random, cluster, service, load, database)


async def survive(here: World, trouble: Trouble) -> Examination:
    """Load under trouble, then peace. Asserts whatever must hold in the end; all nodes have left when it returns."""
    loop = asyncio.get_running_loop()
    loading = asyncio.create_task(here.load.run())
    try:
        await trouble(here)
        await here.cluster.heal()
        healed_at = loop.time()
        async with looking(here.cluster.server, here.cluster.schema) as database:
            await _peace(here, database, loading)
            here.note(f"all over {loop.time() - healed_at:.1f} s after the last fault")
            held = await even(database, here.cluster.engines)
            await _peace(here, database, loading)  # a node that joined again may have brought what it had for others
            for node in here.cluster.serving:
                await node.leave()
            assert await database.members(engines=False) == {}, "a node that left is still a member"
            found = await examine(database, here.load, here.service, here.cluster.nodes)
    finally:
        loading.cancel()
    _tell(here, found, held)
    if found.violations:
        raise AssertionError("\n".join(found.violations[:20]))
    return found


async def _peace(here: World, database: Database, loading: "asyncio.Task[None]") -> None:
    """Returns when every client was answered and every run has ended."""
    try:
        async with asyncio.timeout(END_S):
            await loading
            await _settled(here, database)
    except TimeoutError:
        answered = "all" if here.load.done else "not all"
        unended, leftovers = await database.unended(), await database.leftovers()
        stories = "\n".join([await database.story(run_id) for run_id in unended[:3]])
        open_calls = [call for call in here.service.calls if not call.ended_at]
        text = f"{len(unended)} runs not over after {END_S:.0f} s, {answered} clients answered; {leftovers}\n{stories}"
        sessions, gauges = await database.sessions(), await _gauges(here)
        raise AssertionError(f"{text}\ncalls under way: {open_calls}\n{sessions}\n{gauges}") from None


async def _settled(here: World, database: Database) -> None:
    """Returns when every run has ended and nothing of it is left."""
    while await database.unended() or await database.leftovers():
        for run_id in await database.suspended():
            await here.load.resume(run_id)
        await asyncio.sleep(_LOOK_S)


async def _gauges(here: World) -> str:
    """What the nodes say of what they do now."""
    lines: list[str] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        for node in here.cluster.serving:
            async with session.get(f"{node.url}/metrics") as answer:
                told = (await answer.text()).splitlines()
            lines += [f"{node.name} {line}" for line in told if _GAUGE.match(line)]
    return "\n".join(lines)


async def even(database: Database, engines: int, within_s: float = 20.0) -> list[int]:
    """Returns how many partitions each engine holds, as soon as each has its even part."""
    until = asyncio.get_running_loop().time() + within_s
    while True:
        held, members = await database.held(), await database.members()
        least = PARTITIONS // engines
        counts = sorted(held[member] for member in members)
        if len(members) == engines and sum(counts) == PARTITIONS and least <= counts[0] <= counts[-1] <= least + 1:
            return counts
        if asyncio.get_running_loop().time() > until:
            text = f"uneven: {dict(held)} of {members}, for {engines} engines"
            raise AssertionError(f"{text}\n{await database.sessions()}")
        await asyncio.sleep(_LOOK_S)


async def moved_away(database: Database, member: str) -> float:
    """Returns after how many seconds the partitions of a member that was lost belong to others."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (held := await database.held())[member] or held[""]:
        if loop.time() - began > END_S:
            raise AssertionError(f"nobody took over: {dict(held)}\n{await database.sessions()}")
        await asyncio.sleep(0.01)
    return loop.time() - began


async def member_of(database: Database, node: Node) -> str:
    """The id under which a node is a member now."""
    members = await database.members(engines=False)
    (found,) = [member for member, name in members.items() if str(node.pid) in name]
    return found


def _tell(here: World, found: Examination, held: list[int]) -> None:
    ledger = here.load.ledger
    print(  # noqa: T201 - shown by `make faults`
        f"\n{found.runs} runs, {found.transitions} transitions, {found.calls} calls, "
        f"{sum(found.repeated.values())} of them repeated; {ledger.answers} requests answered, {ledger.retries} asked "
        f"again, the slowest after {ledger.slowest_s:.1f} s; partitions {held}; {'; '.join(here.measured)}"
    )
