"""The SQLite store."""

from penstock.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
