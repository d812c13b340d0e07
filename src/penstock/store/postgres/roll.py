"""The members as the database has them: who they are, who is gone, who holds what. Each is a function of a session."""

from collections.abc import Collection
from functools import lru_cache

import msgspec

from penstock.model.limits import NODE_RETURN_MS, PARTITIONS
from penstock.store.postgres.session import Session
from penstock.store.shares import NodeRow, Settlement, settle


class Roll(msgspec.Struct, frozen=True):
    """All members at one instant of the server's clock."""

    members: tuple[NodeRow, ...]
    unconnected: frozenset[str]
    now: int

    def of(self, node: str) -> NodeRow | None:
        return next((member for member in self.members if member.id == node), None)

    def settle(self, node: str) -> Settlement:
        return settle(self.members, self.unconnected, node, self.now)


async def call_roll(session: Session) -> Roll:
    rows = await session.fetch("members", NODE_RETURN_MS)
    members = tuple(
        NodeRow(
            id=row[0],
            name=row[1],
            engine=row[2],
            joined_at=row[3],
            seen_at=row[4],
            until=row[5],
            partitions=frozenset(row[6]),
        )
        for row in rows
    )
    return Roll(members, frozenset(row[0] for row in rows if not row[7]), rows[0][8] if rows else 0)


async def fence(session: Session, node: str) -> frozenset[int]:
    """What `node` holds, until the transaction ends; nothing if it was expelled."""
    return _partitions_in(await session.value("fence", node) or 0)


@lru_cache(PARTITIONS)
def _partitions_in(bits: int) -> frozenset[int]:
    return frozenset(number for number in range(PARTITIONS) if bits >> number & 1)


async def expel(session: Session, roll: Roll, gone: Collection[str]) -> int:
    """Expels those of them that have not renewed since, and have no transaction that may still commit."""
    if not gone:
        return 0
    rows = [(member.id, member.seen_at) for member in roll.members if member.id in gone]
    return await session.execute("expel_nodes", [row[0] for row in rows], [row[1] for row in rows])


def session_name(node: str) -> str:
    """What the sessions of a member are called that may hold locks."""
    return f"penstock {node}"


async def end_sessions(session: Session, gone: Collection[str], after_ms: int) -> None:
    """Ends what these members have under way for longer than `after_ms`, so that they can be expelled."""
    if gone:
        await session.fetch("end_sessions", [session_name(node) for node in gone], after_ms)


async def release(session: Session, node: str, partitions: Collection[int]) -> int:
    """Gives partitions away, in a transaction that moves no runs of them any more; returns how many."""
    session.held = session.held.difference(partitions)
    return await session.execute("release_partitions", node, sorted(set(partitions)))
