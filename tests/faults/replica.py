"""A second PostgreSQL that follows the first, synchronously: what the first acknowledged, the second has on disk."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from tests.postgres_fixtures import execute
from tests.postgres_server import PostgresServer

FOLLOWS_S: Final = 20.0
_SYNCHRONOUS: Final = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Replica(PostgresServer):
    """A hot standby of a running server."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()

    def _fill(self) -> None:
        source = ("--host", str(self._primary.socket.parent), "--username", "postgres")
        self._run("pg_basebackup", *source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")


@contextmanager
def replicated() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A server, and its replica, for which every commit of the first one waits."""
    primary = PostgresServer()
    try:
        replica = Replica(primary)
        try:
            asyncio.run(_wait_for_each_commit(primary))
            yield primary, replica
        finally:
            replica.remove()
    finally:
        primary.remove()


async def _wait_for_each_commit(primary: PostgresServer) -> None:
    """Returns when it is so."""
    await execute(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    await execute(primary.url, "SELECT pg_reload_conf()")
    connection = await asyncpg.connect(primary.url)
    until = time.monotonic() + FOLLOWS_S
    while not await connection.fetchval(_SYNCHRONOUS):
        assert time.monotonic() < until, "the replica does not follow"
        await asyncio.sleep(0.02)
    await connection.close()


async def promote(replica: PostgresServer) -> None:
    """Makes a server of it that takes writes; returns when it does."""
    connection = await asyncpg.connect(replica.url)
    assert await connection.fetchval("SELECT pg_promote(true, 30)")
    await connection.close()
