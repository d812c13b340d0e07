"""What stands in the database, read past all nodes and proxies."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec

from penstock.kernel.codec import decode_entry
from penstock.store.rows import JournalRow
from tests.postgres_server import PostgresServer

_LEFTOVERS: Final = {
    "an inbox row that waits": "SELECT seq, run_id FROM inbox",
    "a listener that outlives its run": "SELECT run_id, entry, topic FROM subscriptions",
    "a deadline that outlives its run": "SELECT id, next_at FROM runs WHERE next_at IS NOT NULL",
    "a call that outlives its run": "SELECT id FROM runs WHERE calling",
}


_STORY: Final = {
    "row": "SELECT status, state_version, next_at, calling FROM runs WHERE id = $1",
    "partition, owner, epoch, routed until": """
        SELECT partition, owner, epoch, routed_seq FROM partitions
        WHERE partition = (SELECT partition FROM runs WHERE id = $1)""",
    "listens for": "SELECT entry, filter, topic, key FROM subscriptions WHERE run_id = $1",
    "inbox": "SELECT seq FROM inbox WHERE run_id = $1",
    "was brought": "SELECT event_seq FROM deliveries WHERE run_id = $1",
    "events for it": """
        SELECT seq, id, at, expires_at FROM events
        WHERE id LIKE (SELECT value FROM run_labels WHERE run_id = $1 AND key = 'start') || '/%'""",
    "last event": "SELECT max(seq) FROM events WHERE $1 <> ''",
}

_SESSIONS: Final = """
    SELECT pid, state, wait_event, now() - xact_start AS transaction, now() - state_change AS since,
           pg_blocking_pids(pid) AS blocked_by, left(query, 100) AS statement
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    ORDER BY xact_start, pid
"""


class StoredRun(msgspec.Struct, frozen=True):
    """A run as its row says it is."""

    id: str
    name: str
    status: str
    version: int
    state: bytes
    parent_id: str


class Database:
    """One schema, over one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def change(self, statement: str) -> None:
        """For whoever wants to see a change found."""
        await self._connection.execute(statement)

    async def unended(self) -> list[str]:
        """The runs that have not ended."""
        rows = await self._connection.fetch("SELECT id FROM runs WHERE ended_at = 0 ORDER BY id")
        return [row["id"] for row in rows]

    async def story(self, run_id: str) -> str:
        """All that could tell why a run does not go on, for people."""
        journal = [(row.seq, type(decode_entry(row.body)[0].message).__name__) for row in await self.journal(run_id)]
        lines = [f"{run_id}: {journal}"]
        for what, statement in _STORY.items():
            rows = await self._connection.fetch(statement, run_id)
            lines.append(f"  {what}: {[tuple(row) for row in rows]}")
        return "\n".join(lines)

    async def sessions(self) -> str:
        """What the server's sessions do, and whom they wait for; for people."""
        rows = await self._connection.fetch(_SESSIONS)
        return "\n".join(f"  {tuple(row)}" for row in rows)

    async def suspended(self) -> list[str]:
        return [row["id"] for row in await self._connection.fetch("SELECT id FROM runs WHERE status = 'suspended'")]

    async def leftovers(self) -> list[str]:
        """What should be gone when every run has ended."""
        return [
            f"{what}: {[tuple(row) for row in rows[:3]]} ({len(rows)})"
            for what, statement in _LEFTOVERS.items()
            if (rows := await self._connection.fetch(statement))
        ]

    async def held(self) -> Counter[str]:
        """How many partitions each member holds, by its id; under "" those that nobody holds."""
        held: Counter[str] = Counter()
        rows = await self._connection.fetch("SELECT coalesce(owner, '') AS owner, count(*) FROM partitions GROUP BY 1")
        held.update({row["owner"]: row["count"] for row in rows})
        return held

    async def members(self, *, engines: bool = True) -> dict[str, str]:
        """Id and name of each member, in the order in which they joined."""
        rows = await self._connection.fetch(
            "SELECT id, name FROM nodes WHERE engine OR NOT $1 ORDER BY number", engines
        )
        return {row["id"]: row["name"] for row in rows}

    async def runs(self) -> dict[str, StoredRun]:
        rows = await self._connection.fetch("SELECT id, name, status, state_version, state, parent_id FROM runs")
        return {row["id"]: StoredRun(*row) for row in rows}

    async def runs_of_start(self, key: str) -> list[str]:
        rows = await self._connection.fetch(
            "SELECT run_id FROM run_labels WHERE key = 'start' AND value = $1 ORDER BY run_id", key
        )
        return [row["run_id"] for row in rows]

    async def journal(self, run_id: str) -> list[JournalRow]:
        rows = await self._connection.fetch("SELECT seq, at, body FROM journal WHERE run_id = $1 ORDER BY seq", run_id)
        return [JournalRow(row["seq"], row["at"], row["body"]) for row in rows]

    async def checkpoints(self, run_id: str) -> dict[int, bytes]:
        rows = await self._connection.fetch("SELECT state_version, state FROM checkpoints WHERE run_id = $1", run_id)
        return {row["state_version"]: row["state"] for row in rows}

    async def values(self, run_id: str) -> dict[bytes, bytes]:
        rows = await self._connection.fetch("SELECT digest, body FROM run_values WHERE run_id = $1", run_id)
        return {row["digest"]: row["body"] for row in rows}

    async def events(self) -> list[str]:
        return [row["id"] for row in await self._connection.fetch("SELECT id FROM events WHERE source = '/outside'")]


@asynccontextmanager
async def looking(server: PostgresServer, schema: str) -> AsyncIterator[Database]:
    """A connection of one's own, to be opened while the server is there."""
    connection = await asyncpg.connect(server.url, server_settings={"search_path": schema})
    try:
        yield Database(connection)
    finally:
        await connection.close()
