"""The PostgreSQL store. Needs the extra `penstock[postgres]`."""

from penstock.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
