"""Finds the message by which a run took an event, in its journal."""

from collections.abc import Mapping
from typing import Final

import msgspec

from penstock.kernel.messages import EventArrived, EventMatch, Message
from penstock.kernel.values import Value
from penstock.model.limits import MAX_WHY_ROWS
from penstock.runtime.history import History
from penstock.runtime.live import Live
from penstock.store.protocol import Store
from penstock.store.rows import EventRow

_PAGE: Final = 200


class Taken(msgspec.Struct, frozen=True):
    """A message by which a run took the event, and the tasks by entry as far as they are known."""

    at: int
    matches: tuple[EventMatch, ...]
    tasks: Mapping[int, tuple[str, str]]


class Takings:
    """Read only."""

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history

    async def find(self, live: Live, event: EventRow) -> Taken | None:
        """The message, if it is among the last `MAX_WHY_ROWS` of the run."""
        wanted, before, left = Value(json=event.body).digest, live.state.version + 1, MAX_WHY_ROWS
        at, matches = 0, tuple[EventMatch, ...]()
        tasks: dict[int, tuple[str, str]] = {}
        while left > 0 and (rows := await self._store.journal_tail(live.run.id, before, min(_PAGE, left))):
            for row in rows:
                entry = await self._history.entry(live.run.id, row, values=False)
                if not matches:
                    at, matches = row.at, _matches(entry.message, wanted)
                tasks.update({fact.entry: (fact.reference, fact.name) for fact in entry.facts if fact.reference})
                if matches and all(match.entry in tasks for match in matches):
                    return Taken(at, matches, tasks)
            left -= len(rows)
            before = rows[-1].seq
        return Taken(at, matches, tasks) if matches else None


def _matches(message: Message, wanted: bytes) -> tuple[EventMatch, ...]:
    """Whom the message is for, if it brings the event with this content."""
    if isinstance(message, EventArrived) and message.event.digest == wanted:
        return message.matches
    return ()
