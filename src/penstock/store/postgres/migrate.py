"""Brings a schema to the version of this Penstock: numbered files, forward only, each in a transaction.

The table `penstock_migrations` holds the numbers that were applied. A schema with tables but without that one is
another program's and is left alone.
"""

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it brings none

from penstock.errors import SchemaRefused, StoreInUse
from penstock.store.marks import refuse_marked
from penstock.store.migrations import check_known, read_migrations
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection
from penstock.store.postgres.failures import is_lock_timeout
from penstock.store.postgres.mark import mark_of
from penstock.store.postgres.session import Session

_TABLE = "penstock_migrations"


def load_migrations() -> tuple[str, ...]:
    """The scripts in order; the script at index N leads to schema N + 1."""
    return read_migrations("penstock.store.postgres")


async def migrate(
    connection: Connection, session: Session, address: Address, scripts: tuple[str, ...], *, moving: bool = False
) -> None:
    """Applies what is missing.

    Raises `InfrastructureError` for a newer schema, one that is not ours, and one that has the mark of a move unless
    this is part of the move; `StoreInUse` while somebody else migrates or moves it.
    """
    applied = 0
    while applied < len(scripts):
        await session.begin()
        try:
            await _lock(session, address)
            if not moving:
                refuse_marked(await mark_of(connection, address.schema), address.place)
            await _prepare(connection, session, address)
            applied = int(await session.value("last_migration"))
            check_known(applied, len(scripts), f"{address.place} (schema {address.schema})")
            if applied < len(scripts):
                await connection.execute(scripts[applied])
                applied += 1
                await session.execute("note_migration", applied)
            await session.commit()
        except BaseException:
            if not connection.is_closed():
                await session.rollback()
            raise


async def _lock(session: Session, address: Address) -> None:
    try:
        await session.value("lock_migrations", address.lock_key("migrations"))
    except Exception as error:
        if is_lock_timeout(error):
            raise StoreInUse(f"{address.place} is being migrated or moved by somebody else") from error
        raise


async def schema_of(session: Session, address: Address, newest: int) -> int:
    """The schema's number, 0 for one that is missing or empty; writes nothing. Raises `InfrastructureError` for a newer
    one and for one that is not ours."""
    if not await session.value("table_exists", address.schema, _TABLE):
        if await session.value("any_table", address.schema):
            raise _of_another_program(address)
        return 0
    applied = int(await session.value("last_migration"))
    check_known(applied, newest, f"{address.place} (schema {address.schema})")
    return applied


def _of_another_program(address: Address) -> SchemaRefused:
    return SchemaRefused(f"the schema {address.schema} of {address.place} belongs to another program")


async def _create_schema(connection: Connection, address: Address) -> None:
    try:
        await connection.execute(f'CREATE SCHEMA "{address.schema}"')  # a checked name: see `parse_address`
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaRefused(f"this user may not make the schema {address.schema} of {address.place}") from error


async def _prepare(connection: Connection, session: Session, address: Address) -> None:
    """Makes the schema and its table of migrations unless they are there."""
    # A role may use a schema that it could not have made, so this asks before it makes one.
    if not await session.value("schema_exists", address.schema):
        await _create_schema(connection, address)
    if await session.value("table_exists", address.schema, _TABLE):
        return
    if await session.value("any_table", address.schema):
        raise _of_another_program(address)
    await session.value("create_migrations")
