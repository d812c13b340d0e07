"""A copy of a database while an engine works on it.

The copy is what the database held at one instant: one read transaction lasts for the whole of it. In WAL mode readers
and the writer do not wait for one another; the WAL grows meanwhile and is cut after. The original is only read.
"""

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from penstock.errors import CallerError, Conflict, InfrastructureError, NotFound
from penstock.model.limits import BACKUP_PAGES_PER_STEP
from penstock.store.sqlite.connection import connect_reader, failure
from penstock.store.sqlite.migrate import known_schema, load_migrations

_TABLES: Final = ("runs", "journal", "events", "inbox", "workflows", "tools", "secrets")
_LIVE: Final = "SELECT count(*) FROM runs WHERE ended_at = 0"


class BackupReport(msgspec.Struct, frozen=True):
    """What a backup holds: its size in bytes, the schema, the rows by table, and how many of the runs are live."""

    path: str
    size_bytes: int
    schema: int
    rows: dict[str, int]
    live_runs: int


def back_up(database: Path, target: Path) -> BackupReport:
    """Copies `database` to `target` (mode 0600), and returns when the copy is verified and on disk.

    Raises `NotFound` without a database, `Conflict` when the target exists, `InfrastructureError` when the copy fails;
    then there is no target.
    """
    if not database.is_file():
        raise NotFound(f"there is no database {database}")
    if target.exists() or target.is_symlink():
        raise _exists(target)
    try:
        with _unfinished(target) as partial, closing(connect_reader(database)) as source:
            report = _copy(source, partial, database)
            _fsync(partial)
            _give_name(partial, target)
            _fsync(target.parent)
    except sqlite3.Error as error:
        raise failure(error, str(database)) from error
    except OSError as error:
        raise InfrastructureError(f"cannot write {target}: {error.strerror or error}") from error
    return msgspec.structs.replace(report, path=str(target), size_bytes=target.stat().st_size)


def _copy(source: sqlite3.Connection, partial: Path, database: Path) -> BackupReport:
    source.execute("BEGIN")
    wanted = _look(source, database)  # begins the read transaction that the copy is made in
    with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        source.backup(copy, pages=BACKUP_PAGES_PER_STEP, sleep=0)
        copy.execute("PRAGMA journal_mode = DELETE")  # leaves one file; an engine that opens it turns WAL on again
        verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok" or _look(copy, partial) != wanted:
            raise InfrastructureError(
                f"the copy of {database} is not like it ({verdict}); check the disk, and try again"
            )
    return wanted


def _look(connection: sqlite3.Connection, place: Path) -> BackupReport:
    schema = known_schema(connection, len(load_migrations()), str(place))
    if not schema:
        raise CallerError(f"{place} is empty: no engine has opened it")
    rows = {table: _count(connection, f"SELECT count(*) FROM {table}") for table in _TABLES}  # noqa: S608 - own names
    return BackupReport("", 0, schema, rows, _count(connection, _LIVE))


def _count(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])


@contextmanager
def _unfinished(target: Path) -> Generator[Path]:
    """A new file beside the target, which is gone afterwards, whatever happens."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield partial
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _give_name(partial: Path, target: Path) -> None:
    """A link, unlike a rename, never takes the place of a file that came meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise _exists(target) from None


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(target: Path) -> Conflict:
    return Conflict(f"{target} exists; a backup overwrites nothing")
