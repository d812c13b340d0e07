"""From a store's URL to the store."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from penstock.errors import CallerError
from penstock.store.protocol import Store
from penstock.store.sqlite import SqliteStore

_POSTGRES: Final = ("postgresql", "postgres")
_KNOWN: Final = "use sqlite:PATH, sqlite:///PATH, memory: or postgresql://USER@HOST/DATABASE"


def open_store(url: str) -> Store:
    """The store that `url` names, not opened yet: `sqlite:PATH`, `sqlite:///PATH`, `memory:`, `postgresql://…`.

    As usual for such URLs, `sqlite:///data.db` is a relative path and `sqlite:////var/data.db` an absolute one.
    Raises `CallerError` for anything else, saying what works.
    """
    return _postgres_store(url) if is_postgres(url) else SqliteStore(path_of(url))


def path_of(url: str) -> Path | None:
    """The database file that a store's URL names; None for one that is no file. Raises as `open_store`."""
    if url in {"memory:", "memory://"} or is_postgres(url):
        return None
    scheme, colon, rest = url.partition(":")
    path = rest.removeprefix("///") if rest.startswith("///") else rest
    if scheme != "sqlite" or not colon or not path or path.startswith("//"):
        shown = f"{scheme}:…" if "@" in url else url  # what looks like credentials is not repeated
        raise CallerError(f"the store {shown!r} is not known: {_KNOWN}")
    return Path(path)


def shown_url(url: str) -> str:
    """A store's URL as it may be shown and logged: without password and options."""
    if not is_postgres(url):
        return url
    try:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return f"{_POSTGRES[0]}:…"
    return f"{_POSTGRES[0]}://{user}{parts.hostname or ''}{port}{parts.path}"


def holds_password(url: str) -> bool:
    """Whether who can read this URL may get into the store by it; in doubt, yes."""
    if not is_postgres(url):
        return False
    try:
        parts = urlsplit(url)
        names = {name.lower() for name, value in parse_qsl(parts.query) if value}
    except ValueError:
        return True
    return bool(parts.password) or not names.isdisjoint({"password", "sslpassword"})


def is_postgres(url: str) -> bool:
    """Whether this is the URL of a PostgreSQL store."""
    return url.partition("://")[0] in _POSTGRES and "://" in url


def postgres_module(name: str) -> ModuleType:
    """A module that needs PostgreSQL's driver. Raises `CallerError` when that is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        message = "PostgreSQL needs a driver that is not installed: pip install 'penstock[postgres]'"
        raise CallerError(message) from error


def _postgres_store(url: str) -> Store:
    store: Store = postgres_module("penstock.store.postgres").PostgresStore(url)
    return store
