"""Reads what happened to a run from its journal: facts, task rows, and, by replay, former states."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from penstock.errors import InfrastructureError, NotFound
from penstock.kernel import step
from penstock.kernel.codec import JournalEntry, decode_entry
from penstock.kernel.lifecycle import to_cloudevent
from penstock.kernel.messages import Started
from penstock.kernel.needs import Answer, AnswerKey
from penstock.kernel.nodes import Program
from penstock.kernel.state import RunState
from penstock.model.json_value import Json
from penstock.model.limits import MAX_REPLAY_ROWS, MAX_TASK_ROWS
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.beginnings import is_unstarted
from penstock.runtime.envelopes import unpack_state
from penstock.runtime.live import load_values
from penstock.runtime.programs import Programs
from penstock.runtime.state_view import state_json
from penstock.runtime.task_rows import TaskRows, TaskView
from penstock.runtime.task_tables import TaskTables
from penstock.runtime.views import HistoryPage, Recorded
from penstock.store.protocol import Store
from penstock.store.rows import JournalRow

_ROWS: Final = 200
_FIRST_ROWS: Final = 8
_FACTS_PER_SEQ: Final = 1_000_000
"""A position in a history is `seq * _FACTS_PER_SEQ + place`, so that one number tells where to go on."""


class History:
    """Read only."""

    def __init__(self, store: Store, programs: Programs) -> None:
        self._store = store
        self._programs = programs
        self._tables = TaskTables(store)

    async def recorded(self, run_id: str, after: int = 0) -> AsyncIterator[Recorded]:
        """The facts of every message after version `after`, in order."""
        while True:
            rows = await self._store.journal(run_id, after, _ROWS)
            for row in rows:
                entry = await self.entry(run_id, row)
                yield Recorded(row.seq, entry.facts)
            if len(rows) < _ROWS:
                return
            after = rows[-1].seq

    async def events(
        self, run_id: str, workflow: WorkflowIdentity, position: int
    ) -> AsyncIterator[tuple[int, dict[str, Json]]]:
        """Lifecycle events after a position, each with its own position."""
        seq, place = divmod(position, _FACTS_PER_SEQ)
        async for recorded in self.recorded(run_id, max(0, seq - 1) if position else 0):
            for index, fact in enumerate(recorded.facts):
                here = recorded.seq * _FACTS_PER_SEQ + index + 1
                if here > seq * _FACTS_PER_SEQ + place:
                    event = to_cloudevent(fact, run_id=run_id, workflow=workflow, seq=recorded.seq, index=index)
                    yield here, event

    async def page(self, run_id: str, workflow: WorkflowIdentity, position: int, limit: int) -> HistoryPage:
        """At most `limit` lifecycle events after a position."""
        found: list[dict[str, Json]] = []
        last = position
        async for here, event in self.events(run_id, workflow, position):
            if len(found) == limit:
                return HistoryPage(found, last)
            found.append(event)
            last = here
        return HistoryPage(found, None)

    async def last_tasks(self, run_id: str, version: int) -> tuple[TaskView, ...]:
        """The last `MAX_TASK_ROWS` task runs, in the order of entry."""
        before, page, entries = version + 1, _FIRST_ROWS, list[JournalEntry]()
        seen: set[tuple[int, int]] = set()
        while before > 1 and len(seen) <= MAX_TASK_ROWS:
            rows = await self._store.journal_tail(run_id, before, page)
            if not rows:
                break
            page = min(2 * page, _ROWS)  # one row may hold thousands of facts, or one
            for row in rows:
                entries.append(await self.entry(run_id, row, values=False))
                seen.update((fact.entry, fact.attempt) for fact in entries[-1].facts if fact.type.startswith("task."))
            before = rows[-1].seq
        table = TaskRows()
        for entry in reversed(entries):
            table.take(entry.facts)
        return tuple(table.rows()[-MAX_TASK_ROWS:])

    async def tasks(self, run_id: str, after: int, limit: int) -> list[TaskView]:
        """Task runs in the order of entry, from the one after the first `after`."""
        return await self._tables.page(run_id, after, limit)

    async def state_at(self, run_id: str, seq: int, newest: RunState) -> Json:
        """The state after message `seq`, as JSON. Raises `NotFound` when there was none."""
        state = newest if seq >= newest.version else await self._replayed(run_id, seq)
        return state_json(state)

    async def _replayed(self, run_id: str, seq: int) -> RunState:
        state: RunState | None = None
        after = 0
        if (kept := await self._store.checkpoint(run_id, seq)) is not None:
            after, data = kept
            state, missing, _ = unpack_state(data)
            await load_values(self._store, run_id, missing)
        if seq - after > MAX_REPLAY_ROWS:
            raise InfrastructureError(f"no kept state within {MAX_REPLAY_ROWS} messages before {seq}")
        program: Program | None = None
        while after < seq:
            rows = await self._store.journal(run_id, after, min(_ROWS, seq - after))
            if not rows:
                break
            for row in rows:
                entry = await self.entry(run_id, row)
                if program is None:
                    program = await self._program(state, entry)
                state = replay(program, state, entry)
            after = rows[-1].seq
        if state is None or state.version != seq:
            raise NotFound(f"the run had no state {seq}")
        return state

    async def started(self, run_id: str) -> Started:
        """The message with which the run began."""
        rows = await self._store.journal(run_id, 0, 1)
        entry = await self.entry(run_id, rows[0]) if rows else None
        if entry is None or not isinstance(entry.message, Started):
            raise InfrastructureError(f"the journal of run {run_id} does not begin with its start")
        return entry.message

    async def _program(self, state: RunState | None, entry: JournalEntry) -> Program:
        identity = state.workflow if state else (entry.message.workflow if isinstance(entry.message, Started) else None)
        program = None if identity is None else await self._programs.get(identity)
        if program is None:
            raise InfrastructureError("the definition of this run is gone")
        return program

    async def entry(self, run_id: str, row: JournalRow, *, values: bool = True) -> JournalEntry:
        """What a row of the journal holds; without `values` large ones stay unread."""
        entry, missing = decode_entry(row.body)
        if values:
            await load_values(self._store, run_id, missing)
        return entry


def replay(program: Program, state: RunState | None, entry: JournalEntry) -> RunState:
    """The state after a journal entry: the same step with the same answers."""
    version = state.version if state else 0
    if state is not None and isinstance(entry.message, Started) and is_unstarted(state):
        state = None
    answers: dict[AnswerKey, Answer] = {}
    given = iter(entry.answers)
    result = step(program, state, entry.message, answers)
    while result.needs:
        for _ in result.needs:
            answer = next(given, None)
            if answer is None:
                raise InfrastructureError("the journal lacks an answer that this replay asks for")
            answers[answer.key] = answer
        result = step(program, result.state, entry.message, answers)
    return msgspec.structs.replace(result.state, version=version + 1)
