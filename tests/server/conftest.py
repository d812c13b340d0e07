"""The whole server over a real engine, for one test each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.runtime.settings import Settings
from penstock.server.app import RunningServer, serve
from tests.server.client import Client, client_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Development mode with an empty store in memory."""
    return Settings(port=0, store="memory:", data_dir=str(tmp_path))


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[RunningServer]:
    async with serve(settings) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    async with client_of(server.base_url) as connected:
        yield connected
