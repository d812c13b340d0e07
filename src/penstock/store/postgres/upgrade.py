"""Migrating a schema without an engine, and none works on it meanwhile."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.store.counters import StoreCounters
from penstock.store.marks import refuse_marked
from penstock.store.migrations import MigrationReport
from penstock.store.postgres.address import Address, parse_address
from penstock.store.postgres.connection import Connection, close_quietly, connect
from penstock.store.postgres.exclusive import have_alone
from penstock.store.postgres.failures import failure
from penstock.store.postgres.mark import mark_of
from penstock.store.postgres.migrate import load_migrations, migrate, schema_of
from penstock.store.postgres.session import Session
from penstock.store.statements import load_statements


async def upgrade(url: str) -> MigrationReport:
    """Brings a schema to the newest version, and makes it when there is none.

    Raises `StoreInUse` while an engine works on it, `InfrastructureError` for a newer or a foreign schema.
    """
    scripts = load_migrations()
    address = parse_address(url)
    async with _connected(address) as (connection, session):
        await have_alone(connection, session, address)
        before = await schema_of(session, address, len(scripts))
        await migrate(connection, session, address, scripts)
    return MigrationReport(before, len(scripts))


async def planned_upgrade(url: str) -> MigrationReport:
    """What `upgrade` would do. Writes nothing, and needs no lock. Raises `InfrastructureError` as that does."""
    scripts = load_migrations()
    address = parse_address(url)
    async with _connected(address) as (connection, session):
        refuse_marked(await mark_of(connection, address.schema), address.place)
        return MigrationReport(await schema_of(session, address, len(scripts)), len(scripts))


@asynccontextmanager
async def _connected(address: Address) -> AsyncGenerator[tuple[Connection, Session]]:
    """One connection; what goes wrong with it is an `InfrastructureError`."""
    try:
        connection = await connect(address)
    except Exception as error:
        raise failure(error, address.place) from error
    try:
        session = Session(connection, load_statements("penstock.store.postgres", "statements.sql"), StoreCounters())
        yield connection, session
    except Exception as error:
        raise failure(error, address.place) from error
    finally:
        await close_quietly(connection)
