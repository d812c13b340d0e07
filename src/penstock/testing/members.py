"""The members that share a simulated disk, and who holds what: the tables of the PostgreSQL store, in memory.

The decision is that of `penstock.store.shares`. Everything here happens at one instant, as in one transaction, and
outlives the engines.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from penstock.model.limits import PARTITIONS
from penstock.store.shares import Membership, NodeRow, Settlement, settle

Taken = Callable[[str, frozenset[int]], None]
"""Is told who took which partitions."""

_NOBODY: Final = ""


class Member(msgspec.Struct):
    id: str
    membership: Membership
    connected: Callable[[], bool]
    joined_at: int
    seen_at: int
    until: int


class Members:
    """Instants are those of the disk, milliseconds."""

    def __init__(self) -> None:
        self.owners = [_NOBODY] * PARTITIONS
        self.epochs = [0] * PARTITIONS
        self.routed = [0] * PARTITIONS
        self.taken: Taken = _nobody_asks
        self._members: dict[str, Member] = {}
        self._held: dict[str, frozenset[int]] = {}
        self._joined = 0

    def __contains__(self, node: str) -> bool:
        return node in self._members

    @property
    def engines(self) -> list[str]:
        """Those that may hold partitions."""
        return [member.id for member in self._members.values() if member.membership.engine]

    def enter(self, membership: Membership, connected: Callable[[], bool], now: int) -> str:
        """A new member without partitions; its id was never used before."""
        self._joined += 1
        node = f"node-{self._joined}"
        self._members[node] = Member(node, membership, connected, now, now, now + membership.lease_ms)
        return node

    def renew(self, node: str, now: int) -> bool:
        """False for one that was expelled."""
        if (member := self._members.get(node)) is None:
            return False
        member.seen_at, member.until = now, now + member.membership.lease_ms
        return True

    def carry_out(self, me: str, now: int) -> Settlement:
        """Expels who is gone and takes what is due to `me`; what is left to do then."""
        for node in sorted(self._settle(me, now).expel):
            self.leave(node)
        if take := self._settle(me, now).take:
            self._take(me, take)
        return self._settle(me, now)

    def leave(self, node: str) -> None:
        """It is no member any more, and holds nothing."""
        if self._members.pop(node, None) is not None:
            self._give(_NOBODY, self._held.pop(node, ()))

    def release(self, node: str, partitions: Collection[int]) -> int:
        """Gives partitions away that the node holds; how many."""
        mine = self.held(node)
        given = mine.intersection(partitions)
        if given:
            self._held[node] = mine - given
            self._give(_NOBODY, given)
        return len(given)

    def held(self, node: str) -> frozenset[int]:
        """What a member holds; nothing if it was expelled."""
        return self._held.get(node, frozenset())

    def rows(self) -> list[NodeRow]:
        """In the order in which they joined."""
        return [
            NodeRow(
                id=member.id,
                name=member.membership.name,
                engine=member.membership.engine,
                joined_at=member.joined_at,
                seen_at=member.seen_at,
                until=member.until,
                partitions=self.held(member.id),
            )
            for member in self._members.values()
        ]

    def _settle(self, me: str, now: int) -> Settlement:
        unconnected = {member.id for member in self._members.values() if not member.connected()}
        return settle(self.rows(), unconnected, me, now)

    def _take(self, node: str, partitions: frozenset[int]) -> None:
        self._held[node] = self.held(node) | partitions
        self._give(node, partitions)
        for partition in partitions:
            self.epochs[partition] += 1
        self.taken(node, partitions)

    def _give(self, node: str, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.owners[partition] = node


def _nobody_asks(node: str, partitions: frozenset[int]) -> None:
    """For disks without an oracle."""
