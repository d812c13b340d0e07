"""From a store's URL to the store."""

from pathlib import Path

from penstock.errors import CallerError
from penstock.store.protocol import Store
from penstock.store.sqlite import SqliteStore


def open_store(url: str) -> Store:
    """The store that `url` names, not opened yet: `sqlite:PATH`, `sqlite:///PATH` or `memory:`.

    As usual for such URLs, `sqlite:///data.db` is a relative path and `sqlite:////var/data.db` an absolute one.
    Raises `CallerError` for anything else, saying what works.
    """
    return SqliteStore(path_of(url))


def path_of(url: str) -> Path | None:
    """The database file that a store's URL names; None for one in memory. Raises as `open_store`."""
    if url in {"memory:", "memory://"}:
        return None
    scheme, colon, rest = url.partition(":")
    path = rest.removeprefix("///") if rest.startswith("///") else rest
    if scheme != "sqlite" or not colon or not path or path.startswith("//"):
        shown = f"{scheme}:…" if "@" in url else url  # what looks like credentials is not repeated
        raise CallerError(f"the store {shown!r} is not known: use sqlite:PATH, sqlite:///PATH or memory:")
    return Path(path)
