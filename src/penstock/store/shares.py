"""Who may move which runs: nodes that share a store, and the partitions that each of them holds.

A node *joins* under an id that is never used again, and *renews* its lease; a node that is silent for longer than
its lease, or whose connection ended, is *expelled* by another. Only a node that is a member writes turns, and only
for partitions that it holds: a partition leaves a member only when that member releases it, or is expelled. So the
id of the member is the fence: whoever was expelled can write no turn any more, however late it comes back.
"""

from typing import Final

import msgspec

from penstock.model.limits import PARTITIONS

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
