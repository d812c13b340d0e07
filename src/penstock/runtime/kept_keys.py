"""The keys of kept events, filter by filter: a new listener finds its events without looking at the others.

Keys are worked out once for each filter and event, when the first listener asks, and go on from there.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from penstock.kernel.topics import EventTopic
from penstock.model.limits import MAX_KEPT_KEYS
from penstock.runtime.event_rows import event_of
from penstock.runtime.kept_events import KeptEvents
from penstock.runtime.matching import Keys, Matching, key_of
from penstock.store.rows import EventRow


class KeptKey(NamedTuple):
    """A kept event that a filter lets through, with its values for the filter's keys."""

    seq: int
    expires_at: int
    keys: Keys


class _Filter:
    """What is known of one filter: everything above `floor` and up to `upto`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.floor = 0
        self.upto = 0
        self.count = 0
        self.asked = True
        self.by_key: dict[str, list[KeptKey]] = {}

    def add(self, rows: Sequence[EventRow], keys: Sequence[Keys | None]) -> None:
        for row, values in zip(rows, keys, strict=True):
            if values is not None:
                self.by_key.setdefault(key_of(values), []).append(KeptKey(row.seq, row.expires_at, values))
                self.count += 1

    def make_room(self, now: int, most: int) -> None:
        """Lets expired events go, then the oldest that are beyond `most`."""
        seqs = sorted(one.seq for some in self.by_key.values() for one in some if one.expires_at > now)
        if len(seqs) > most:
            self.floor = seqs[-most - 1]
        left = {
            key: [one for one in some if one.expires_at > now and one.seq > self.floor]
            for key, some in self.by_key.items()
        }
        self.by_key = {key: some for key, some in left.items() if some}
        self.count = sum(map(len, self.by_key.values()))


class KeptKeys:
    """Bounded over all filters; the filter that was asked for least recently is forgotten first."""

    def __init__(self, kept: KeptEvents, matching: Matching) -> None:
        self._kept = kept
        self._matching = matching
        self._filters: OrderedDict[str, _Filter] = OrderedDict()

    async def find(self, topic: EventTopic, key: str | None, upto: int, now: int) -> tuple[list[KeptKey], int]:
        """The kept events up to `upto` that a filter lets through and that have this key (None: any), in order; and
        the number up to which others may be in the store, of which this does not know."""
        known = self._filters.setdefault(topic.topic, _Filter())
        self._filters.move_to_end(topic.topic)
        known.asked = True
        async with known.lock:
            if known.upto < upto:
                await self._extend(topic, known, upto, now)
        if key is None:
            some = sorted((one for ones in known.by_key.values() for one in ones), key=_seq)
        else:
            some = known.by_key.get(key, [])
        return [one for one in some if one.expires_at > now and one.seq <= upto], known.floor

    async def _extend(self, topic: EventTopic, known: _Filter, upto: int, now: int) -> None:
        async for rows in self._kept.pages(topic.type, known.upto, upto):
            admitted = [(row, event) for row, event in ((row, event_of(row)) for row in rows) if topic.admits(event)]
            keys = await self._matching.keys([(event, topic) for _, event in admitted])
            known.add([row for row, _ in admitted], keys)
            known.upto = rows[-1].seq
            if known.count > MAX_KEPT_KEYS:
                known.make_room(now, MAX_KEPT_KEYS // 2)
        known.upto = upto
        self._bound(topic.topic, known, now)

    def _bound(self, name: str, known: _Filter, now: int) -> None:
        if sum(one.count for one in self._filters.values()) <= MAX_KEPT_KEYS:
            return
        known.make_room(now, MAX_KEPT_KEYS // 2)
        for other in [other for other in self._filters if other != name]:
            if sum(one.count for one in self._filters.values()) <= MAX_KEPT_KEYS * 3 // 4:
                return
            del self._filters[other]

    def forget_expired(self, now: int) -> None:
        """Lets expired events go, and filters that nobody asked for since the last time."""
        for name, known in list(self._filters.items()):
            if known.lock.locked():
                continue
            if known.asked:
                known.asked = False
                known.make_room(now, MAX_KEPT_KEYS)
            else:
                del self._filters[name]


def _seq(key: KeptKey) -> int:
    return key.seq
