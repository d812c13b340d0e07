"""Several stores over one schema, for tests: what each of them heard, and how their time is made to be over."""

# ruff: noqa: S608 - names of schemas that these tests made

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from penstock.store.notices import Notice
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.address import parse_address
from penstock.store.shares import Shares
from tests.postgres_fixtures import execute, without_schema
from tests.store.samples import LONG_LEASE_MS, held_by

PATIENCE_S = 30


class Node(PostgresStore):
    """A store that remembers what it heard, and its shares."""

    def __init__(self, url: str, before: Callable[[str], Awaitable[None]] | None = None) -> None:
        super().__init__(url, before_statement=before)
        self.heard: list[Notice] = []
        self._hears = asyncio.Event()

    @property
    def id(self) -> str:
        return self._members.node

    @property
    def pid(self) -> int:
        """The server's process by which it lives."""
        return self._members.pid

    def heed(self, notice: Notice) -> None:
        self.heard.append(notice)
        self._hears.set()

    async def hears(self, *notices: Notice) -> None:
        """Returns when it has heard all of them, in any order."""
        async with asyncio.timeout(PATIENCE_S):
            while not set(notices) <= set(self.heard):
                self._hears.clear()
                await self._hears.wait()

    async def renews_until(self, enough: Callable[[Shares], bool]) -> Shares:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(shares := await self.renew()):  # noqa: ASYNC110 - only the server's clock knows
                await asyncio.sleep(0.02)
            return shares


@asynccontextmanager
async def joined(
    url: str,
    before: Callable[[str], Awaitable[None]] | None = None,
    *,
    lease_ms: int = LONG_LEASE_MS,
    engine: bool = True,
) -> AsyncGenerator[Node]:
    node = Node(url, before)
    await node.open()
    try:
        await held_by(node, node.heed, lease_ms=lease_ms, engine=engine)
        yield node
    finally:
        await node.close()


async def share(*nodes: Node) -> list[frozenset[int]]:
    """Everybody renews and gives up what is too much, until everybody has the even part; returns what each holds."""
    for _ in range(2):
        for node in nodes:
            await node.release((await node.renew()).surplus)
    return [(await node.renew()).held for node in nodes]


async def let_time_pass(url: str, node: Node) -> None:
    """The lease of this node is over, as if it had been silent for long."""
    await change_nodes(url, f"UPDATE nodes SET until = seen_at - 1 WHERE id = '{node.id}'")


async def change_nodes(url: str, statement: str) -> None:
    schema = parse_address(url).schema
    await execute(without_schema(url), f"SET search_path = {schema}; {statement}")
