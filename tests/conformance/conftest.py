"""Fixtures of the conformance suites."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .support.client import Api, api_client
from .support.server import running_server
from .support.services import MACHINERY_SERVICES, ServiceBases, running_services


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """The HTTP interface of a fresh server with an empty store."""
    async with running_server(tmp_path) as base_url, api_client(base_url) as client:
        yield client


@pytest.fixture(scope="session")
def services() -> Iterator[ServiceBases]:
    """Base URLs of the three example services, started once for the whole session."""
    with running_services(MACHINERY_SERVICES) as bases:
        yield bases
