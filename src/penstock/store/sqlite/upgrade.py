"""Migrating a database without an engine: under the engine's lock, so that none works on it meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

from penstock.store.migrations import MigrationReport
from penstock.store.sqlite.connection import connect_reader, connect_writer, failure, prepare_file
from penstock.store.sqlite.lock import FileLock
from penstock.store.sqlite.migrate import known_schema, load_migrations, migrate


def upgrade(database: Path) -> MigrationReport:
    """Brings a database to the newest schema, and makes it when there is none.

    Raises `StoreInUse` while an engine works on it, `InfrastructureError` for a newer schema or a foreign file.
    """
    scripts = load_migrations()
    prepare_file(database)
    lock = FileLock(database)
    lock.acquire()
    try:
        with closing(connect_writer(database)) as connection:
            before = known_schema(connection, len(scripts), str(database))
            migrate(connection, scripts, str(database))
    except sqlite3.Error as error:
        raise failure(error, str(database)) from error
    finally:
        lock.release()
    return MigrationReport(before, len(scripts))


def planned_upgrade(database: Path) -> MigrationReport:
    """What `upgrade` would do. Writes nothing, and needs no lock. Raises `InfrastructureError` as that does."""
    scripts = load_migrations()
    if not database.exists():
        return MigrationReport(0, len(scripts))
    try:
        with closing(connect_reader(database)) as connection:
            return MigrationReport(known_schema(connection, len(scripts), str(database)), len(scripts))
    except sqlite3.Error as error:
        raise failure(error, str(database)) from error
