"""What moving needs of the two stores. Each store can be either end; `penstock.store.move.opening` opens them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from penstock.store.marks import Mark, Unfinished
from penstock.store.move.tables import Carried, Row, Table


class Source(Protocol):
    """A store that nobody else has open. Reads only, but for the mark."""

    @property
    def place(self) -> str:
        """The store for people: without password, and the same for every spelling of a file's path."""
        ...

    async def mark(self) -> Mark | None: ...

    async def set_mark(self, mark: Mark | None) -> None:
        """Puts a mark in place of the one there is, or takes it away; on disk when it returns."""
        ...

    async def tables(self) -> Mapping[str, Table]:
        """Every table of the store by name; none when there is no store yet."""
        ...

    async def page(self, table: Carried, columns: Sequence[str], after: Row | None) -> list[Row]:
        """Rows above a key, ascending by key (text and bytes byte by byte), at most `MOVE_PAGE_ROWS` and about
        `MOVE_PAGE_BYTES`; none at the end."""
        ...

    async def last_number(self, table: Carried) -> int:
        """The last number that the store gave out for a numbered table, 0 before the first one."""
        ...

    async def routed_until(self) -> int:
        """The number up to which every event was brought to its listeners."""
        ...


class Target(Source, Protocol):
    """A store that nobody else has open, and that can be filled."""

    @property
    def holds_nul(self) -> bool:
        """Whether text may hold the character NUL."""
        ...

    async def prepare(self, mark: Unfinished) -> None:
        """Brings the store to the newest schema, making it when there is none, and marks it."""
        ...

    async def is_empty(self, tables: Sequence[str]) -> bool: ...

    async def write(self, table: Carried, rows: Sequence[Row]) -> None:
        """Inserts complete rows in one transaction; on disk when it returns. Raises `Conflict` that names a row which
        the store cannot hold."""
        ...

    async def delete_after(self, table: Carried, after: Row | None) -> None:
        """Deletes the rows above a key, or all of them."""
        ...

    async def number_after(self, table: Carried, last: int) -> None:
        """Lets a numbered table go on after `last`."""
        ...

    async def route_after(self, seq: int) -> None:
        """Lets the routing of events go on after `seq`."""
        ...

    async def settle(self) -> None:
        """What is good for a store that was filled at once."""
        ...
