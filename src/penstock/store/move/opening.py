"""From two URLs to the two ends of a move."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from penstock.errors import CallerError
from penstock.store.move.ends import Source, Target
from penstock.store.move.sqlite_end import SqliteEnd
from penstock.store.open import is_postgres, path_of, postgres_module


class End(Target, Protocol):
    """A store before it is opened as one of the two ends."""

    async def open_source(self) -> None: ...

    async def open_target(self) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def both_ends(source_url: str, target_url: str) -> AsyncGenerator[tuple[Source, Target]]:
    """Source and target, both kept from engines. Raises `CallerError` for URLs that cannot be moved between."""
    source, target = _end(source_url), _end(target_url)
    if source.place == target.place:
        raise CallerError(f"source and target are the same store: {source.place}")
    try:
        await source.open_source()
        await target.open_target()
        yield source, target
    finally:
        await target.close()
        await source.close()


def _end(url: str) -> End:
    if is_postgres(url):
        end: End = postgres_module("penstock.store.move.postgres_end").PostgresEnd(url)
        return end
    path = path_of(url)
    if path is None:
        raise CallerError("a store in memory is gone with its process: nothing can be moved from it or into it")
    return SqliteEnd(path)
