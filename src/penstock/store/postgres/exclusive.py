"""Having a schema for oneself: what migrating and moving without an engine need.

The one place that knows by what an engine is noticed.
"""

from typing import Final

from penstock.errors import StoreInUse
from penstock.store.postgres.address import Address
from penstock.store.postgres.connection import Connection
from penstock.store.postgres.failures import is_lock_timeout
from penstock.store.postgres.session import Session

_EXPEL: Final = "DELETE FROM nodes"
_LOCKS: Final = ("owner", "migrations")


async def have_alone(connection: Connection, session: Session, address: Address) -> None:
    """Keeps engines, migrations and moves away from the schema for as long as this connection lasts.

    Every open store shares one of these locks, from before it looks whether it may work on the schema; opening takes
    the other one for a moment. Raises `StoreInUse` if somebody has one of them. Nodes that are still on the list
    then are dead, or cut off: they are expelled, so that a late one commits no turn.
    """
    for purpose in _LOCKS:
        try:
            await session.fetch("take_lock", address.lock_key(purpose))
        except Exception as error:
            if is_lock_timeout(error):
                raise StoreInUse(await _who(session, address, purpose)) from error
            raise
    if await session.value("table_exists", address.schema, "nodes"):
        await connection.execute(_EXPEL)


async def _who(session: Session, address: Address, purpose: str) -> str:
    row = await session.row("lock_holder", address.lock_key(purpose))
    return f"{address.place} is in use" + (f" from {row[1]} (its PostgreSQL session is {row[0]})" if row else "")
