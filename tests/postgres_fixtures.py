"""Fixtures for tests over PostgreSQL: one server for each process of tests, one schema for each test."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from typing import Final

import asyncpg
import pytest

from tests.postgres_server import PostgresServer

VARIABLE: Final = "PENSTOCK_TEST_POSTGRES"
"""The URL of a server to use instead of an own one; its role must be able to make schemas."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """An own server, which tests may stop and start."""
    server = PostgresServer("fsync=off")  # these tests end servers, not machines
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_base(request: pytest.FixtureRequest) -> str:
    """The URL of the server, without a schema."""
    return os.environ.get(VARIABLE) or request.getfixturevalue("postgres_server").url


@pytest.fixture
def postgres_url(postgres_base: str) -> Iterator[str]:
    """A store's URL with a schema that nobody has used, dropped afterwards."""
    schema = f"test_{os.getpid()}_{next(_numbers)}"
    yield with_schema(postgres_base, schema)
    asyncio.run(execute(postgres_base, f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


async def execute(url: str, statement: str) -> None:
    """Runs one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def with_schema(url: str, schema: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}schema={schema}"


def without_schema(url: str) -> str:
    """The server's URL, as the driver takes it."""
    return url.partition("&schema=")[0].partition("?schema=")[0]
