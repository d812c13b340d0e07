"""Reads a table back on both sides in the order of its key, page by page: how far they are alike, and their digests.

A digest is one BLAKE2b over the carried columns of all rows, as MessagePack arrays: of the journal over run id, number,
instant and body of every entry. Text, bytes, numbers and nothing are told apart, and so are the ends of rows.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from penstock.store.move.ends import Source
from penstock.store.move.progress import Progress, Tell
from penstock.store.move.tables import Carried, Row

DIGEST_BYTES: Final = 16

_encode: Final = msgspec.msgpack.Encoder().encode


class Comparison(msgspec.Struct, frozen=True):
    """Both are alike from the beginning for `common_rows`, the last of which has the key `last_common`;
    `first_different` is the first key at which they are not. None when there is no such row."""

    common_rows: int
    source_rows: int
    target_rows: int
    source_digest: str
    target_digest: str
    last_common: Row | None
    first_different: Row | None


class Reader:
    """Walks over a table of one side, counting and digesting what it gives."""

    def __init__(self, end: Source, table: Carried, *, complete: bool) -> None:
        self._end = end
        self._table = table
        self._columns = table.all_columns if complete else table.columns
        self._waiting: list[Row] = []
        self._after: Row | None = None
        self._ended = False
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self.rows = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    async def available(self) -> int:
        """How many rows can be taken now; 0 at the end."""
        if not self._waiting and not self._ended:
            self._waiting = await self._end.page(self._table, self._columns, self._after)
            self._ended = not self._waiting
            if self._waiting:
                self._after = self._table.key_of(self._waiting[-1])
        return len(self._waiting)

    def take(self, count: int) -> list[Row]:
        """The next rows: as many as are available, `count` at most."""
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        carried = len(self._table.columns)
        self._hash.update(b"".join([_encode(row[:carried]) for row in taken]))
        self.rows += len(taken)
        return taken


async def digest_of(
    source: Source, table: Carried, tell: Tell, check: Callable[[Carried, Sequence[Row]], None]
) -> Reader:
    """Reads a table of one side to its end; `check` may refuse rows."""
    reader = Reader(source, table, complete=False)
    while count := await reader.available():
        check(table, reader.take(count))
        tell(Progress("verify", table.name, reader.rows))
    tell(Progress("verify", table.name, reader.rows, done=True))
    return reader


async def compare(
    source: Source, target: Source, table: Carried, tell: Tell, *, only_common: bool = False
) -> Comparison:
    """Reads a table on both sides; `only_common` ends at the first difference."""
    ours, theirs = Reader(source, table, complete=False), Reader(target, table, complete=True)
    common_rows = 0
    last_common: Row | None = None
    different: Row | None = None
    while True:
        left, right = await ours.available(), await theirs.available()
        if not (left or right) or (only_common and different is not None):
            break
        count = min(left, right) or max(left, right)
        wanted, found = table.complete(ours.take(count)), theirs.take(count)
        if different is None:
            alike = _alike(wanted, found)
            common_rows += alike
            last_common = table.key_of(wanted[alike - 1]) if alike else last_common
            different = _smaller_key(table, wanted[alike:], found[alike:])
        tell(Progress("verify", table.name, theirs.rows))
    if not only_common:
        tell(Progress("verify", table.name, theirs.rows, done=True))
    return Comparison(
        common_rows=common_rows,
        source_rows=ours.rows,
        target_rows=theirs.rows,
        source_digest=ours.digest,
        target_digest=theirs.digest,
        last_common=last_common,
        first_different=different,
    )


def _alike(wanted: Sequence[Row], found: Sequence[Row]) -> int:
    """How many rows at the beginning are the same."""
    if wanted == found:
        return len(wanted)
    return next(
        (n for n, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), min(len(wanted), len(found))
    )


def _smaller_key(table: Carried, wanted: Sequence[Row], found: Sequence[Row]) -> Row | None:
    """Of the rows at which both sides part, the key that comes first."""
    return min((table.key_of(rows[0]) for rows in (wanted, found) if rows), key=_in_order, default=None)


def _in_order(key: Row) -> list[bytes | int]:
    """Keys as both stores order them: text byte by byte."""
    return [value.encode() if isinstance(value, str) else value for value in key]
