"""Every store keeps the same contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.store import Store, open_store
from tests.store.contract import StoreContract
from tests.store.contract_lists import filled
from tests.store.samples import held_by

__all__ = ["filled"]


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.server)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    match request.param:
        case "postgres":
            url = request.getfixturevalue("postgres_url")
        case "memory":
            url = "memory:"
        case _:
            url = f"sqlite:{tmp_path}/penstock.db"
    opened = open_store(url)
    await opened.open()
    await held_by(opened)
    yield opened
    await opened.close()


@pytest.mark.mission("M129")
class TestStore(StoreContract):
    """The contract over SQLite, in a file and in memory, and over PostgreSQL."""
