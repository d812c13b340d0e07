"""The part of the contract about nodes, for a store that only one engine can open: it holds everything, for ever."""

from collections.abc import Collection

from penstock.store.notices import Heed, Notice
from penstock.store.shares import EVERY_PARTITION, Membership, NodeRow, Shares


class Alone:
    """There is nobody to share with, and nobody to tell."""

    async def join(self, membership: Membership, heed: Heed) -> None:
        """Always welcome; `heed` is never called."""

    async def renew(self) -> Shares:
        return Shares(node="alone", held=EVERY_PARTITION)

    async def release(self, partitions: Collection[int]) -> None:
        """Nobody else could hold them, so nothing happens."""

    async def nodes(self) -> list[NodeRow]:
        return []

    def tell(self, notice: Notice) -> None:
        """Nobody listens."""
