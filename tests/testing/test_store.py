"""The simulated store keeps the contract of stores."""

from collections.abc import AsyncIterator

import pytest

from penstock.store import Store
from penstock.testing.store import SimulatedDisk, SimulatedStore
from tests.store.contract import StoreContract
from tests.store.contract_lists import filled

__all__ = ["filled"]


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    disk = SimulatedDisk()
    opened = SimulatedStore(disk)
    await opened.open()
    yield opened
    await opened.close()
    disk.close()


class TestSimulatedStore(StoreContract):
    """The contract, every test of it."""
