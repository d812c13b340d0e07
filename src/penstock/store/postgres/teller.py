"""What this node tells the others, gathered while the last telling is under way.

A notice is a hint: nobody waits for it, and it is not told again when it was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from penstock.model.limits import MAX_NOTICE_BYTES, MAX_TOLD_INBOX, MAX_WAITING_NOTICES, POSTGRES_CONNECT_MS
from penstock.store.notices import InboxFilled, Notice, RunsDue, WorkOffered

T = TypeVar("T")

_SEQS_IN_ONE: Final = MAX_NOTICE_BYTES // 20 - 4
"""A number has 19 digits at most, and a comma."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Notice).decode


class Teller:
    """`say` tells payloads, all at once. Belongs to the event loop in which it is used."""

    def __init__(self, say: Callable[[list[str]], Awaitable[None]]) -> None:
        self._say = say
        self._seqs: dict[int, None] = {}
        self._look_at_all = False
        self._due: dict[str, None] = {}
        self._offered: dict[str, None] = {}
        self._others: dict[Notice, None] = {}
        self._task: asyncio.Task[None] | None = None

    def tell(self, notice: Notice) -> None:
        """Soon; together with what else waits."""
        match notice:
            case InboxFilled(seqs=seqs):
                self._seqs.update(dict.fromkeys(seqs))
                self._look_at_all |= not seqs or len(self._seqs) > MAX_TOLD_INBOX
                if self._look_at_all:
                    self._seqs.clear()
            case RunsDue(run_ids=run_ids):
                _add(self._due, run_ids)
            case WorkOffered(tools=tools) if tools:
                _add(self._offered, tools)
            case _:
                _add(self._others, (notice,))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell_all(), name="penstock-store-teller")

    async def close(self) -> None:
        """Tells what waits, if the others can be reached."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=POSTGRES_CONNECT_MS / 1000)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tell_all(self) -> None:
        while payloads := [payload for payload in map(_payload, self._take()) if payload is not None]:
            with suppress(Exception):  # a bulkhead: the sweeps of the others find what they were not told
                await self._say(payloads)

    def _take(self) -> list[Notice]:
        """All that waits, cut so that each notice fits."""
        seqs, self._seqs = list(self._seqs), {}
        due, self._due = list(self._due), {}
        offered, self._offered = list(self._offered), {}
        taken: list[Notice] = [*self._others, *map(RunsDue, _in_parts(due)), *map(WorkOffered, _in_parts(offered))]
        self._others = {}
        if self._look_at_all:
            taken.append(InboxFilled())
            self._look_at_all = False
        taken += [InboxFilled(tuple(seqs[at : at + _SEQS_IN_ONE])) for at in range(0, len(seqs), _SEQS_IN_ONE)]
        return taken


def read_notice(payload: str) -> Notice | None:
    """None for what this Penstock does not know: a newer one may tell more."""
    try:
        return _decode(payload)
    except msgspec.MsgspecError:
        return None


def _payload(notice: Notice) -> str | None:
    """None if it does not fit; ids of runs that others chose may be of any length."""
    payload = _encode(notice)
    return payload.decode() if len(payload) <= MAX_NOTICE_BYTES else None


def _in_parts(names: list[str]) -> Iterator[tuple[str, ...]]:
    """So that each part fits a notice."""
    part: list[str] = []
    size = 0
    for name in names:
        length = len(_encode(name)) + 1
        if part and size + length > MAX_NOTICE_BYTES - 64:
            yield tuple(part)
            part, size = [], 0
        part.append(name)
        size += length
    if part:
        yield tuple(part)


def _add(waiting: dict[T, None], new: Iterable[T]) -> None:
    for one in new:
        if len(waiting) < MAX_WAITING_NOTICES:
            waiting[one] = None
