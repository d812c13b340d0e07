"""Who may move which runs: nodes that share a store, and the partitions that each of them holds.

A node *joins* under an id that is never used again, and *renews* its lease; a node that is silent for longer than
its lease, or whose connection ended, is *expelled* by another. Only a node that is a member writes turns, and only
for partitions that it holds: a partition leaves a member only when that member releases it, or is expelled. So the
id of the member is the fence: whoever was expelled can write no turn any more, however late it comes back.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from penstock.model.limits import NODE_GONE_MS, PARTITIONS

EVERY_PARTITION: Final = frozenset(range(PARTITIONS))


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """How a node wants to take part. One that is no `engine` holds no partitions: it only takes requests."""

    name: str = ""
    """For people: which machine and process this is."""
    engine: bool = True
    lease_ms: int


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What a node holds after it renewed its lease.

    `node` is its id; a new one means that it was expelled meanwhile and holds nothing of what it held before.
    `surplus` are partitions, of `held`, that it should release so that others get their even part.
    """

    node: str
    held: frozenset[int]
    surplus: frozenset[int] = frozenset()
    engines: int = 1
    """Members that move runs, this one included if it does."""


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A member as lists show it. Instants are the store's clock, milliseconds UTC."""

    id: str
    name: str
    engine: bool
    joined_at: int
    seen_at: int
    until: int
    """When its lease ends unless it is renewed."""
    partitions: frozenset[int]


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What the member that settles should do now. Whoever carries it out makes sure that each part still holds."""

    expel: frozenset[str]
    """Members whose time is over."""
    free: frozenset[int]
    """Partitions that nobody holds once these are expelled."""
    take: frozenset[int]
    """Those of the free ones that are due to the member that settles."""
    surplus: frozenset[int]
    """What it holds above its even part, which others lack."""
    engines: int
    """Members that move runs, without the expelled."""


def settle(members: Sequence[NodeRow], unconnected: Collection[str], me: str, now: int) -> Settlement:
    """Who is gone, and what is due to `me`.

    `members` are in the order in which they joined; `unconnected` are ids of those whose connection has ended. The
    even part is `PARTITIONS` divided by the engines; what remains goes to those that joined first. Nobody takes more
    than that, and nobody gives anything away before somebody else lacks it, so what is even stays as it is.
    """
    gone = frozenset(m.id for m in members if m.id != me and _is_gone(m, m.id in unconnected, now))
    staying = [member for member in members if member.id not in gone]
    engines = [member.id for member in staying if member.engine]
    held = {member.id: member.partitions for member in staying}
    free = EVERY_PARTITION.difference(*held.values())
    mine = held.get(me, frozenset())
    part = _even_part(engines, me)
    return Settlement(
        expel=gone,
        free=free,
        take=frozenset(sorted(free)[: max(0, part - len(mine))]),
        surplus=frozenset(sorted(mine)[part:]),
        engines=len(engines),
    )


def _is_gone(member: NodeRow, unconnected: bool, now: int) -> bool:
    return member.until <= now or (unconnected and member.seen_at + NODE_GONE_MS < now)


def _even_part(engines: Sequence[str], me: str) -> int:
    if me not in engines:
        return 0
    part, remainder = divmod(PARTITIONS, len(engines))
    return part + (engines.index(me) < remainder)
