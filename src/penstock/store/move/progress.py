"""How far a move is, for whoever watches it."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """`rows` of `table` have been copied, or read back on both sides and compared; `done` says that it was all."""

    step: Literal["copy", "verify"]
    table: str
    rows: int
    done: bool = False


Tell: TypeAlias = Callable[[Progress], None]
