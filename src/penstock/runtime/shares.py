"""Which runs this engine moves: of the partitions that the store says it holds, those that it has taken up.

The store decides who *holds* a partition, and writes turns for nobody else. An engine *owns* of those the ones that
it has taken up and is not about to give away; it begins turns and calls for nothing else. To those that it is about
to give away it only brings events still. With a store of its own it owns every run, for ever.
"""

from collections.abc import Collection
from typing import Final

from penstock.errors import InfrastructureError
from penstock.model.limits import PARTITIONS
from penstock.store.partitions import partition_of
from penstock.store.shares import EVERY_PARTITION

_CHOOSING: Final = 9
"""The byte of the entropy that becomes the end of a run's id (`penstock.kernel.ids.run_id`)."""


class NotHeld(InfrastructureError):
    """The run belongs to another node; nothing was done here. The request goes by the run's inbox instead."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the run {run_id} moves to another node")


class Shares:
    """`held` is what the store said last; `owned` and `leaving` are parts of it."""

    def __init__(self, *, alone: bool) -> None:
        self.node = ""
        self.engines = 1
        self.held: frozenset[int] = EVERY_PARTITION if alone else frozenset()
        self.owned: frozenset[int] = self.held
        self.leaving: frozenset[int] = frozenset()
        self._doubted: frozenset[int] = frozenset()
        self._all = alone

    def owns(self, run_id: str) -> bool:
        """Whether turns and calls of this run may begin here."""
        return self._all or partition_of(run_id) in self.owned

    def serves(self, run_id: str) -> bool:
        """Whether events for this run are brought to it from here."""
        return self.owns(run_id) or partition_of(run_id) in self.leaving

    @property
    def leads(self) -> bool:
        """Whether what only one engine has to do is this one's."""
        return 0 in self.owned

    def told(self, node: str, held: frozenset[int], engines: int) -> frozenset[int]:
        """Takes what the store says; returns what was owned and is no longer."""
        before = self.owned | self.leaving | self._doubted
        self._doubted = frozenset()
        staying = before & held if node == self.node else frozenset[int]()
        self.node, self.held, self.engines = node, held, engines
        self.leaving &= staying
        self._set(self.owned & staying)
        return before - staying

    def doubt(self, run_id: str) -> None:
        """A turn of this run was refused: its partition is not held, until the store says so again."""
        partition = frozenset({partition_of(run_id)})
        self._doubted |= partition & (self.owned | self.leaving)
        self.gave(partition)

    def take(self, partitions: Collection[int]) -> None:
        """Owns these, too, as far as they are held."""
        self._set(self.owned | (self.held & frozenset(partitions)))

    def leave(self, partitions: Collection[int]) -> None:
        """Is about to give these away."""
        self.leaving |= self.owned & frozenset(partitions)
        self._set(self.owned - frozenset(partitions))

    def gave(self, partitions: Collection[int]) -> None:
        """These are others' now."""
        self.held -= frozenset(partitions)
        self.leaving &= self.held
        self._set(self.owned & self.held)

    def placed(self, entropy: bytes) -> bytes:
        """Entropy for the id of a new run that this engine owns, if it owns any."""
        if self._all or not self.owned:
            return entropy
        choices = sorted(self.owned)
        last = entropy[_CHOOSING]
        last += choices[last % len(choices)] - last % PARTITIONS
        return entropy[:_CHOOSING] + bytes((last,)) + entropy[_CHOOSING + 1 :]

    def _set(self, owned: frozenset[int]) -> None:
        self.owned = owned
        self._all = owned == EVERY_PARTITION
