"""The store's inbox in memory: each waiting row once, in order, and never more than a bounded number of them."""

import asyncio
from collections.abc import Iterable

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, INBOX_PAGE, MAX_INBOX_IN_MEMORY
from penstock.runtime.envelopes import unpack_message
from penstock.runtime.mail import Queued
from penstock.runtime.mailboxes import Mailboxes
from penstock.store.protocol import Store
from penstock.store.rows import InboxRow


class Inbox:
    """Beyond the bound, rows stay in the store, and so do all later ones, until there is room again."""

    def __init__(self, store: Store, boxes: Mailboxes, log: structlog.stdlib.BoundLogger) -> None:
        self._store = store
        self._boxes = boxes
        self._log = log
        self._known: set[int] = set()
        self._gone: set[int] = set()
        self._behind: int | None = None
        """Rows above this sequence may be in the store only; None when there are none."""
        self._missed = False
        self._wanted = asyncio.Event()

    @property
    def complete(self) -> bool:
        """False while rows wait in the store only: then no deadline may fire, for an answer may be among them."""
        return self._behind is None

    def take(self, rows: Iterable[InboxRow]) -> None:
        """Rows that were just written."""
        for row in rows:
            if self._behind is not None:
                self._behind = min(self._behind, row.seq - 1)
                self._missed = True
            elif len(self._known) >= MAX_INBOX_IN_MEMORY:
                self._behind = row.seq - 1
            else:
                self._add(row)

    def consumed(self, seqs: Iterable[int]) -> None:
        """Rows that a commit deleted."""
        gone = set(seqs)
        self._known -= gone
        if self._behind is not None:
            self._gone |= gone
            if len(self._known) < MAX_INBOX_IN_MEMORY // 2:
                self._wanted.set()

    def look_again(self) -> None:
        """Asks for everything that the store has."""
        self._behind = 0
        self._wanted.set()

    async def run(self) -> None:
        """Reads whenever rows wait in the store only and there is room."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.read()
            except InfrastructureError as error:
                self._log.warning("inbox rows wait", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._wanted.set()

    async def read(self) -> None:
        """Reads from the store until nothing waits there only, or there is no room."""
        while self._behind is not None:
            after = self._behind
            self._missed = False
            rows = await self._store.inbox(after, INBOX_PAGE)
            for row in rows:
                if len(self._known) >= MAX_INBOX_IN_MEMORY:
                    self._behind = row.seq - 1
                    return
                self._add(row)
            if len(rows) == INBOX_PAGE:
                self._behind = rows[-1].seq
            elif not self._missed and self._behind == after:
                self._behind = None
                self._gone.clear()

    def _add(self, row: InboxRow) -> None:
        if row.seq in self._known or row.seq in self._gone:
            return
        self._known.add(row.seq)
        try:
            message, expires_at = unpack_message(row.body)
        except Exception as error:  # bulkhead: one row that cannot be read does not stop the others
            self._log.error("inbox row cannot be read", run_id=row.run_id, seq=row.seq, exc_info=error)
            return
        self._boxes.add(row.run_id, Queued(message, row.seq, expires_at))
