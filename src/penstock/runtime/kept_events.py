"""The events whose time to live has not ended, for listeners that come late: the newest in memory, all in the store.

What the router has not read yet is not here and need not be: it will find whoever listens by then.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence

from penstock.model.limits import MAX_LOOK_BACK_EVENTS, MAX_RECENT_EVENT_BYTES, MAX_RECENT_EVENTS
from penstock.runtime.clock import Clock
from penstock.store.protocol import Store
from penstock.store.rows import EventRow


class KeptEvents:
    """Events up to `upto` can be asked for."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.upto = 0
        self._store = store
        self._clock = clock
        self._recent: list[EventRow] = []
        self._recent_bytes = 0
        self._floor = 0
        """Whatever is kept above this event and up to `upto` is in `_recent`."""
        self._until: dict[str, int] = {}
        """Until when an event of each type may be kept."""

    async def load(self) -> None:
        """Learns from the store what came since the last event that was read, or in another life."""
        while rows := await self._page(None, self.upto):
            self.read(rows)

    def read(self, rows: Sequence[EventRow]) -> None:
        """Takes the next events, in the order of ingestion; those that were read before are passed over."""
        new = [row for row in rows if row.seq > self.upto]
        if not new:
            return
        self._recent += new
        self._recent_bytes += sum(len(row.body) for row in new)
        self.upto = new[-1].seq
        for row in new:
            self._until[row.type] = max(row.expires_at, self._until.get(row.type, 0))
        if len(self._recent) > MAX_RECENT_EVENTS or self._recent_bytes > MAX_RECENT_EVENT_BYTES:
            self._make_room()

    def _make_room(self) -> None:
        """Lets the expired go, and of the others as many that a quarter is free before the next time."""
        now = self._clock.now_ms()
        left = [row for row in self._recent if row.expires_at > now]
        size = sum(len(row.body) for row in left)
        gone = 0
        while gone < len(left) and (
            len(left) - gone > MAX_RECENT_EVENTS * 3 // 4 or size > MAX_RECENT_EVENT_BYTES * 3 // 4
        ):
            size -= len(left[gone].body)
            gone += 1
        if gone:
            self._floor = left[gone - 1].seq
        self._recent, self._recent_bytes = left[gone:], size

    def forget_expired(self) -> None:
        """Keeps no type in mind of which nothing is kept."""
        now = self._clock.now_ms()
        self._until = {type_: until for type_, until in self._until.items() if until > now}

    def may_have(self, type_: str | None) -> bool:
        """Whether an event of that type (None: any) may be kept."""
        until = max(self._until.values(), default=0) if type_ is None else self._until.get(type_, 0)
        return until > self._clock.now_ms()

    async def pages(self, type_: str | None, after: int, upto: int) -> AsyncIterator[list[EventRow]]:
        """Kept events of a type with `after < seq <= upto`, in order."""
        while after < min(self._floor, upto):
            rows = await self._page(type_, after)
            if found := [row for row in rows if row.seq <= upto]:
                yield found
            if len(rows) < MAX_LOOK_BACK_EVENTS or len(found) < len(rows):
                return
            after = rows[-1].seq
        now = self._clock.now_ms()
        recent = [
            row
            for row in self._recent[bisect_right(self._recent, after, key=_seq) :]
            if row.seq <= upto and row.expires_at > now and type_ in (None, row.type)
        ]
        for start in range(0, len(recent), MAX_LOOK_BACK_EVENTS):
            yield recent[start : start + MAX_LOOK_BACK_EVENTS]

    async def rows(self, type_: str | None, seqs: Iterable[int]) -> list[EventRow]:
        """Those of these events (of a type) that are still kept, in order."""
        wanted = sorted(seqs)
        stored = {seq for seq in wanted if seq <= self._floor}
        found: list[EventRow] = []
        if stored:
            async for page in self.pages(type_, min(stored) - 1, max(stored)):
                found += [row for row in page if row.seq in stored]
        now = self._clock.now_ms()
        for seq in wanted[len(stored) :]:
            at = bisect_right(self._recent, seq - 1, key=_seq)
            if at < len(self._recent) and self._recent[at].seq == seq and self._recent[at].expires_at > now:
                found.append(self._recent[at])
        return found

    async def _page(self, type_: str | None, after: int) -> list[EventRow]:
        return await self._store.events_since(
            now=self._clock.now_ms(), type=type_, after_seq=after, limit=MAX_LOOK_BACK_EVENTS
        )


def _seq(row: EventRow) -> int:
    return row.seq
