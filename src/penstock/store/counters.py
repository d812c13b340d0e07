"""What a store counts about itself, for `/metrics` and for tests that ask how writes were grouped."""

import msgspec


class StoreStatistics(msgspec.Struct, frozen=True):
    """Totals since the store was opened, and the number of writes that wait now."""

    commits: int
    """Transactions that wrote something and succeeded."""
    turns: int
    """Turns of runs that were committed."""
    statements: int
    """Statements executed, reads included."""
    retried_batches: int
    """Transactions done again, write by write, because one write in them failed or was stale."""
    failed_batches: int
    """Transactions that failed as a whole."""
    queue_length: int
    """Writes that wait for their transaction."""


class StoreCounters:
    """The counters behind `StoreStatistics`. Each is changed by one thread only; readers may be slightly behind."""

    __slots__ = ("commits", "failed_batches", "retried_batches", "statements", "turns")

    def __init__(self) -> None:
        self.commits = 0
        self.turns = 0
        self.statements = 0
        self.retried_batches = 0
        self.failed_batches = 0

    def snapshot(self, queue_length: int) -> StoreStatistics:
        """The counters now."""
        return StoreStatistics(
            commits=self.commits,
            turns=self.turns,
            statements=self.statements,
            retried_batches=self.retried_batches,
            failed_batches=self.failed_batches,
            queue_length=queue_length,
        )
