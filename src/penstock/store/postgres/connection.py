"""Connections to PostgreSQL: what each of them is set to, and the patience with which a lost one is made again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - `Connection` below is the part of it that is used

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.model.limits import (
    MAX_RECONNECT_MS,
    MAX_RECONNECTS,
    POSTGRES_CONNECT_MS,
    POSTGRES_IDLE_TRANSACTION_MS,
    POSTGRES_LOCK_WAIT_MS,
    POSTGRES_STATEMENT_MS,
    RECONNECT_MS,
)
from penstock.store.postgres.address import Address
from penstock.store.postgres.failures import is_lost

OLDEST_POSTGRES: Final = 14

T = TypeVar("T")


class Connection(Protocol):
    """The part of the driver's connection that the store uses."""

    async def execute(self, query: str, *args: Json) -> str: ...

    async def fetch(self, query: str, *args: Json) -> Sequence[Sequence[Json]]: ...

    async def fetchrow(self, query: str, *args: Json) -> Sequence[Json] | None: ...

    async def fetchval(self, query: str, *args: Json) -> Json: ...

    def is_closed(self) -> bool: ...

    def terminate(self) -> None: ...

    async def close(self, *, timeout: float) -> None: ...

    def get_server_pid(self) -> int: ...

    def get_server_version(self) -> tuple[int, ...]: ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...

    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...


async def connect(address: Address, lock_wait_ms: int = POSTGRES_LOCK_WAIT_MS) -> Connection:
    """A new connection, checked and set up. Raises what the driver raises, and `InfrastructureError`."""
    open_one: Callable[..., Awaitable[Connection]] = cast("Any", asyncpg).connect
    connection = await open_one(address.dsn, **options(address, lock_wait_ms))
    try:
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


def options(address: Address, lock_wait_ms: int = POSTGRES_LOCK_WAIT_MS) -> dict[str, Any]:
    """What every connection is made with.

    The server ends a transaction whose engine fell silent, so that nobody waits for it; and it looks after
    connections on which nothing comes any more, so that a dead machine does not keep its locks.
    """
    return {
        "timeout": POSTGRES_CONNECT_MS / 1000,
        "command_timeout": POSTGRES_STATEMENT_MS / 1000,
        "server_settings": {
            "application_name": "penstock",
            "search_path": address.schema,
            "client_min_messages": "warning",
            "default_transaction_isolation": "read committed",
            "idle_in_transaction_session_timeout": str(POSTGRES_IDLE_TRANSACTION_MS),
            "lock_timeout": str(lock_wait_ms),
            "jit": "off",  # every statement is short: compiling one takes longer than running it
            "tcp_keepalives_idle": "15",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    }


async def prepare(connection: Connection) -> None:
    """Refuses servers that cannot keep the promises; a COMMIT is on disk when it answers, whatever is usual there."""
    major = connection.get_server_version()[0]
    if major < OLDEST_POSTGRES:
        raise InfrastructureError(f"PostgreSQL {OLDEST_POSTGRES} or newer is needed; this server has {major}")
    if (encoding := await connection.fetchval("SHOW server_encoding")) != "UTF8":
        raise InfrastructureError(f"the database's encoding is {encoding}; Penstock needs one in UTF8")
    if await connection.fetchval("SHOW synchronous_commit") not in {"on", "remote_apply"}:
        await connection.execute("SET synchronous_commit = on")


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Does what needs a connection, again while the server cannot be reached; then raises what it raised last."""
    wait_ms = RECONNECT_MS
    for _ in range(MAX_RECONNECTS - 1):
        try:
            return await attempt()
        except Exception as error:
            if not is_lost(error):
                raise
        await asyncio.sleep(wait_ms / 1000)
        wait_ms = min(2 * wait_ms, MAX_RECONNECT_MS)
    return await attempt()


async def close_quietly(connection: Connection) -> None:
    """Says goodbye to the server, which may be gone; never raises but when cancelled."""
    try:
        await connection.close(timeout=POSTGRES_CONNECT_MS / 1000)
    except Exception:  # the connection is given up either way
        connection.terminate()
