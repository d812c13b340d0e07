"""The task runs of whole runs, kept between the pages of a list, so that a page costs what came since the last one.

A journal only grows, so that a table is never wrong, merely short: what is missing is read behind its `seq`.
"""

import asyncio
from collections import OrderedDict
from itertools import islice
from typing import Final

from penstock.kernel.codec import decode_entry
from penstock.model.limits import MAX_TASK_ROWS_IN_MEMORY
from penstock.runtime.task_rows import TaskRows, TaskView
from penstock.store.protocol import Store

_ROWS: Final = 200
_MANY_FACTS: Final = 1_000


class _Table:
    """The task runs up to message `seq`."""

    def __init__(self) -> None:
        self.seq = 0
        self.rows = TaskRows()


class TaskTables:
    """At most `most` task runs of all runs together outlive the request that asked for them; the run whose list was
    asked for longest ago goes first."""

    def __init__(self, store: Store, most: int = MAX_TASK_ROWS_IN_MEMORY) -> None:
        self._store = store
        self._most = most
        self._tables: OrderedDict[str, _Table] = OrderedDict()

    async def page(self, run_id: str, after: int, limit: int) -> list[TaskView]:
        """Task runs in the order of entry, from the one after the first `after`."""
        table = self._tables.pop(run_id, None) or _Table()
        await self._read_on(run_id, table)
        self._keep(run_id, table)
        return list(islice(table.rows, after, after + limit))

    async def _read_on(self, run_id: str, table: _Table) -> None:
        while True:
            rows = await self._store.journal(run_id, table.seq, _ROWS)
            for row in rows:
                facts = decode_entry(row.body)[0].facts  # large values are not needed, and not read
                table.rows.take(facts)
                table.seq = row.seq
                if len(facts) >= _MANY_FACTS:
                    await asyncio.sleep(0)  # others get their turn
            if len(rows) < _ROWS:
                return

    def _keep(self, run_id: str, table: _Table) -> None:
        if len(table.rows) > self._most:
            return
        self._tables[run_id] = table
        self._tables.move_to_end(run_id)
        while sum(len(kept.rows) for kept in self._tables.values()) > self._most:
            self._tables.popitem(last=False)
