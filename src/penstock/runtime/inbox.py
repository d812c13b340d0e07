"""The store's inbox in memory: each waiting row once, in order, and never more than a bounded number of them."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, INBOX_PAGE, MAX_INBOX_IN_MEMORY
from penstock.runtime.envelopes import unpack_message
from penstock.runtime.mail import Queued
from penstock.runtime.shares import Shares
from penstock.store.protocol import Store
from penstock.store.rows import InboxRow


class Inbox:
    """Beyond the bound, rows stay in the store, and so do all later ones, until there is room again.

    Rows for runs of other nodes are theirs: they are passed over here.
    """

    def __init__(
        self, store: Store, shares: Shares, put: Callable[[str, Queued], None], log: structlog.stdlib.BoundLogger
    ) -> None:
        self._store = store
        self._shares = shares
        self._put = put
        self._log = log
        self._known: set[int] = set()
        self._gone: set[int] = set()
        """Rows that were deleted while some were being read: those that are read may be among them."""
        self._behind: int | None = None
        """Rows above this sequence may be in the store only; None when there are none."""
        self._missed: int | None = None
        """The same, as it became known during a read."""
        self._named: list[int] = []
        self._wanted = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def complete(self) -> bool:
        """False while rows wait in the store only: then no deadline may fire, for an answer may be among them."""
        return self._behind is None

    def take(self, rows: Iterable[InboxRow]) -> None:
        """Rows that were just written."""
        for row in rows:
            if not self._shares.owns(row.run_id):
                continue
            if self._behind is not None:
                self._miss(row.seq - 1)
            elif len(self._known) >= MAX_INBOX_IN_MEMORY:
                self._behind = row.seq - 1
            else:
                self._add(row)

    def consumed(self, seqs: Iterable[int]) -> None:
        """Rows that a commit deleted."""
        gone = set(seqs)
        self._known -= gone
        if self._behind is not None or self._reading.locked():
            self._gone |= gone
            if len(self._known) < MAX_INBOX_IN_MEMORY // 2:
                self._wanted.set()

    def forget(self, seqs: Iterable[int]) -> None:
        """Rows that are no longer in memory, though they may be in the store."""
        self._known.difference_update(seqs)

    def look_again(self) -> None:
        """Asks for everything that the store has."""
        self._miss(0)
        self._wanted.set()

    def named(self, seqs: Iterable[int]) -> None:
        """Another node wrote these rows, for anybody."""
        self._named.extend(seq for seq in seqs if seq not in self._known)
        if len(self._named) > INBOX_PAGE:
            self._named.clear()
            self.look_again()
        elif self._named:
            self._wanted.set()

    async def run(self) -> None:
        """Reads whenever rows wait in the store only and there is room."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._read_named()
                await self.read()
            except InfrastructureError as error:
                self._log.warning("inbox rows wait", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._wanted.set()

    async def read(self) -> None:
        """Reads from the store until nothing waits there only, or there is no room."""
        async with self._reading:
            while self._behind is not None:
                after, self._missed = self._behind, None
                rows = await self._store.inbox(after, INBOX_PAGE)
                for row in rows:
                    if len(self._known) >= MAX_INBOX_IN_MEMORY:
                        self._behind = _lower(row.seq - 1, self._missed)
                        return
                    self._add(row)
                more = rows[-1].seq if len(rows) == INBOX_PAGE else None
                self._behind = _lower(more, self._missed)
        self._forget_gone()

    async def refresh(self) -> None:
        """Reads what other nodes have written up to now."""
        self.look_again()
        await self.read()

    async def _read_named(self) -> None:
        seqs, self._named = self._named, []
        if not seqs or self._behind is not None:
            return  # everything will be read
        async with self._reading:
            try:
                rows = await self._store.inbox_rows(seqs)
            except InfrastructureError:
                self.look_again()
                raise
            self.take(row for row in rows if row.seq not in self._gone)
        self._forget_gone()

    def _miss(self, after: int) -> None:
        self._behind = _lower(self._behind, after)
        self._missed = _lower(self._missed, after)

    def _forget_gone(self) -> None:
        if self._behind is None and not self._reading.locked():
            self._gone.clear()

    def _add(self, row: InboxRow) -> None:
        if row.seq in self._known or row.seq in self._gone or not self._shares.owns(row.run_id):
            return
        self._known.add(row.seq)
        try:
            message, expires_at = unpack_message(row.body)
        except Exception as error:  # bulkhead: one row that cannot be read does not stop the others
            self._log.error("inbox row cannot be read", run_id=row.run_id, seq=row.seq, exc_info=error)
            return
        self._put(row.run_id, Queued(message, row.seq, expires_at))


def _lower(one: int | None, other: int | None) -> int | None:
    """None is above every number."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
