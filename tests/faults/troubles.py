"""What happens to nodes while clients go on: each function is one kind of trouble, and notes what it measured."""

import asyncio
from typing import Final

from penstock.model.limits import POSTGRES_IDLE_TRANSACTION_MS
from tests.faults.replica import promote
from tests.faults.scenario import LEASE_S, TROUBLE_S, World, even, member_of, moved_away
from tests.postgres_server import PostgresServer

TAKEOVER_S: Final = LEASE_S + LEASE_S / 4 + 3.0
"""A lease, the time until another looks, and a generous allowance for a busy machine."""
FROZEN_TAKEOVER_S: Final = TAKEOVER_S + min(LEASE_S, POSTGRES_IDLE_TRANSACTION_MS / 1000)
"""A node may freeze inside a transaction, which the server ends when it was silent for another lease."""


async def killing(here: World) -> None:
    """Kills one of the nodes every two seconds; each comes back after a while."""
    takeovers: list[float] = []
    until = _now() + TROUBLE_S
    while _now() < until:
        await asyncio.sleep(1 + here.random.random())
        node = here.random.choice(here.cluster.serving)
        member = await member_of(here.database, node)
        await node.kill()
        takeovers.append(await moved_away(here.database, member))
        await asyncio.sleep(here.random.random())
        await node.start()
    here.note(f"takeovers after {_seconds(takeovers)} s")
    assert max(takeovers) < TAKEOVER_S


async def freezing(here: World) -> None:
    """Freezes a node until others have its partitions; then it goes on, in the middle of what it was."""
    takeovers: list[float] = []
    until = _now() + TROUBLE_S
    while _now() < until:
        await asyncio.sleep(0.5 + here.random.random())
        node = here.random.choice(here.cluster.nodes)
        member, said = await member_of(here.database, node), len(node.log)
        node.freeze()
        takeovers.append(await moved_away(here.database, member))
        await asyncio.sleep(here.random.random())
        node.thaw()
        await even(here.database, here.cluster.engines)
        assert member not in await here.database.members(), "it came back under the id that it had lost"
        assert "expelled" in node.log[said:], "it does not say that it was expelled"
    here.note(f"takeovers from frozen nodes after {_seconds(takeovers)} s")
    assert max(takeovers) < FROZEN_TAKEOVER_S


async def restarting(here: World) -> None:
    """Stops the server in order, then as a power cut would, and so on."""
    for crash in (False, True, False, True):
        await asyncio.sleep(1 + here.random.random() * 1.5)
        await asyncio.to_thread(here.cluster.server.stop, crash=crash)
        await asyncio.sleep(here.random.random())
        await asyncio.to_thread(here.cluster.server.start)


async def disturbing(here: World) -> None:
    """One node after the other loses its connections, its network for longer than its lease, and its speed."""
    for node in here.cluster.nodes:
        node.proxy.cut()
        await asyncio.sleep(here.random.random())
        node.proxy.delay_s = 0.02 + here.random.random() * 0.05
        await asyncio.sleep(1.0)
        node.proxy.swallow()
        await asyncio.sleep(LEASE_S * (0.5 + here.random.random() * 1.5))
        node.proxy.heal(forget=here.random.random() < 0.5)
        await asyncio.sleep(0.5)
        node.proxy.refusing = True
        node.proxy.cut()
        await asyncio.sleep(LEASE_S * here.random.random())
        node.proxy.heal()
    here.note(f"{sum(node.proxy.cuts for node in here.cluster.nodes)} connections cut")


async def failing_over(here: World, replica: PostgresServer) -> None:
    """The server crashes for good; a replica that has all that was acknowledged takes its place."""
    await asyncio.sleep(TROUBLE_S / 3 + here.random.random())
    await asyncio.to_thread(here.cluster.server.stop, crash=True)
    began = _now()
    await asyncio.sleep(here.random.random())
    await promote(replica)
    here.cluster.move(replica)
    here.note(f"{_now() - began:.1f} s without a server")
    await asyncio.sleep(TROUBLE_S / 3)


async def everything(here: World) -> None:
    """One fault after the other, some of them at the same time, as the seed says."""
    until = _now() + TROUBLE_S
    happened: list[str] = []
    while _now() < until:
        fault = here.random.choice([_kill, _freeze, _swallow, _cut, _slow, _restart])
        happened.append(fault.__name__.strip("_"))
        await fault(here)
        await asyncio.sleep(here.random.random() * 1.5)
        if here.random.random() < 0.6:
            await here.cluster.heal(forget=here.random.random() < 0.5)
    here.note(", ".join(happened))


async def _kill(here: World) -> None:
    if serving := here.cluster.serving:
        await here.random.choice(serving).kill()


async def _freeze(here: World) -> None:
    if serving := here.cluster.serving:
        here.random.choice(serving).freeze()


async def _swallow(here: World) -> None:
    here.random.choice(here.cluster.nodes).proxy.swallow()


async def _cut(here: World) -> None:
    for node in here.cluster.nodes:
        node.proxy.cut()


async def _slow(here: World) -> None:
    here.random.choice(here.cluster.nodes).proxy.delay_s = 0.05


async def _restart(here: World) -> None:
    await asyncio.to_thread(here.cluster.server.stop, crash=here.random.random() < 0.5)
    await asyncio.to_thread(here.cluster.server.start)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _seconds(times: list[float]) -> str:
    return ", ".join(f"{time:.2f}" for time in times)
