"""What moving a system leaves in its two stores, so that no engine opens the wrong one.

A mark is the only row of the table `penstock_move`, as JSON. It is there while a move fills a store, and for ever in
the store that a system was moved away from. Whoever opens a store for an engine refuses one with a mark.
"""

from typing import Final

import msgspec

from penstock.errors import InfrastructureError

MARK_TABLE: Final = "penstock_move"


class MovedTable(msgspec.Struct, frozen=True):
    """What was moved of one table: its rows, and a digest (hexadecimal) over all of them in the order of their key."""

    name: str
    rows: int
    digest: str


class Unfinished(msgspec.Struct, frozen=True, tag_field="mark", tag="unfinished"):
    """A move from `source` fills this store. `began_at` is in milliseconds UTC."""

    source: str
    began_at: int


class Moved(msgspec.Struct, frozen=True, tag_field="mark", tag="moved"):
    """The system that was in this store is in `target` now; everything it had there when it was verified."""

    target: str
    moved_at: int
    tables: tuple[MovedTable, ...]


Mark = Unfinished | Moved

_decode: Final = msgspec.json.Decoder(Mark).decode


def read_mark(text: str) -> Mark:
    """The mark in the text of its row."""
    return _decode(text)


def write_mark(mark: Mark) -> str:
    """The text of its row."""
    return msgspec.json.encode(mark).decode()


def refuse_marked(mark: Mark | None, place: str) -> None:
    """Raises `InfrastructureError` if `place` is not a store that an engine may work on."""
    match mark:
        case None:
            return
        case Unfinished(source=source):
            raise InfrastructureError(
                f"{place} is the unfinished target of a move from {source}: run that 'penstock move' again to its end"
            )
        case Moved(target=target):
            raise InfrastructureError(
                f"the system in {place} was moved to {target}, so this store is at rest: open that one"
            )
