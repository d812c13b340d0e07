"""What every test shares: the marker `server` by directory and by PostgreSQL, time limits, one hypothesis profile."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.postgres_fixtures import postgres_base, postgres_server, postgres_url
from tests.time_limits import pytest_configure, pytest_runtest_call, pytest_runtest_setup, pytest_runtest_teardown

__all__ = [
    "postgres_base",
    "postgres_server",
    "postgres_url",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
]

TESTS: Final = Path(__file__).resolve().parent

DRIVE_SERVERS: Final = frozenset(
    {"bench", "cli", "conformance", "crash", "demo", "examples", "faults", "sdk", "server"}
)
"""Directories under tests/ whose tests start real servers or processes."""

POSTGRES_FIXTURES: Final = frozenset({"postgres_base", "postgres_server", "postgres_url"})

# Deadlines measure the machine; a shared one is slow at times.
settings.register_profile("penstock", deadline=None, print_blob=True)
settings.load_profile("penstock")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        inside = item.path.relative_to(TESTS).parts if item.path.is_relative_to(TESTS) else ()
        over_postgres = not POSTGRES_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        if over_postgres or (inside and inside[0] in DRIVE_SERVERS):
            item.add_marker(pytest.mark.server)
