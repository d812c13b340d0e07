"""Opening a database: paths, permissions, pragmas; and which errors of SQLite are the surroundings' fault."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from penstock.errors import InfrastructureError

OLDEST_SQLITE: Final = (3, 37, 0)
"""STRICT tables; `UPDATE … FROM` came earlier."""

_BUSY_TIMEOUT_S: Final = 5.0
_CACHED_STATEMENTS: Final = 512
_CHECKPOINT_PAGES: Final = 4000
_CACHE_KIB: Final = 64 * 1024
_WAL_BYTES_KEPT: Final = 64 * 1024 * 1024


def is_infrastructure(error: Exception) -> bool:
    """True if the database or its disk failed, False if one write held something that it cannot store."""
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError):
        return False
    return isinstance(error, sqlite3.DatabaseError | OSError)


def failure(error: Exception, place: str) -> InfrastructureError:
    """`error` for people, with what to do where that is known."""
    advice = "; free some space and try again" if "full" in str(error) else ""
    return InfrastructureError(f"the database {place} failed: {error}{advice}")


def prepare_file(path: Path) -> None:
    """Makes the directory (0700) and the file (0600) unless they exist; existing ones keep their permissions.

    SQLite gives its `-wal` and `-shm` files the permissions of the database.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise InfrastructureError(f"cannot open the database {path}: {error.strerror}") from error


def connect_writer(path: Path | None) -> sqlite3.Connection:
    """The one connection that writes; `None` is a database in memory."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise InfrastructureError(f"SQLite {needed} or newer is needed; this Python has {sqlite3.sqlite_version}")
    connection = _connect(str(path) if path else ":memory:", uri=False)
    if path is not None:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect on a file without tables only
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA query_only = 1")
    return connection


def _connect(database: str, *, uri: bool) -> sqlite3.Connection:
    # Opened in one thread and used in another, by one thread at a time: the check would refuse that.
    return sqlite3.connect(
        database,
        uri=uri,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
