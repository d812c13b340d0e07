"""Simulated stores that share a disk keep the contract of stores, and what members promise each other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest

from penstock.store import Store
from penstock.store.notices import InboxFilled, Notice
from penstock.store.rows import Committed, Delivery, NotOwned
from penstock.store.shares import EVERY_PARTITION, Membership
from penstock.testing import CALM, Weather
from penstock.testing.network import Network
from penstock.testing.shared_store import SharedStore
from penstock.testing.store import Calm, SimulatedDisk
from tests.store.contract import StoreContract
from tests.store.contract_lists import filled
from tests.store.samples import run_id, turn

__all__ = ["filled"]


class Way(Calm):
    """The way of one node to the disk; both can be told to be gone."""

    def __init__(self) -> None:
        self.reached = True
        self.connected = True

    def when_mended(self, act: Callable[[], None]) -> None:
        """Never cut."""


class GoodDay:
    weather: Weather = CALM


class Place:
    """A disk, its clock, and the network of those who share it."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.network = Network(GoodDay(), Random(1))
        self.now = 1_000
        self.heard: list[Notice] = []
        self.ways: list[Way] = []

    async def member(self, *, engine: bool = True) -> SharedStore:
        way = Way()
        self.ways.append(way)
        store = SharedStore(self.disk, way, way, self.network, lambda: self.now)
        await store.open()
        await store.join(Membership(engine=engine, lease_ms=2_000), self.heard.append)
        await store.renew()
        return store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    place = Place()
    opened = await place.member()
    yield opened
    await opened.close()
    place.disk.close()


class TestSharedStore(StoreContract):
    """The contract, every test of it."""


async def test_members_share_evenly_once_the_first_has_released() -> None:
    place = Place()
    first, second = await place.member(), await place.member()
    shares = await first.renew()
    assert (len(shares.held), len(shares.surplus), shares.engines) == (64, 32, 2)
    await first.release(shares.surplus)
    assert (await second.renew()).held == shares.surplus
    assert (await first.renew()).held == EVERY_PARTITION - shares.surplus


async def test_only_the_holder_writes_turns_and_brings_events() -> None:
    place = Place()
    first, second = await place.member(), await place.member()
    assert await second.commit([turn(1)]) == [NotOwned()]
    assert isinstance((await second.commit([turn(2, unowned=True)]))[0], Committed)
    assert isinstance((await first.commit([turn(1)]))[0], Committed)
    assert await second.deliver([Delivery(1, run_id(1), b"event")]) == []
    assert len(await first.deliver([Delivery(1, run_id(1), b"event")])) == 1


async def test_a_silent_member_is_expelled_and_its_late_turns_are_fenced() -> None:
    place = Place()
    first, second = await place.member(), await place.member()
    place.now += 1_500
    assert not (await second.renew()).held  # the lease of the first is not over
    place.now += 501
    assert (await second.renew()).held == EVERY_PARTITION
    assert await first.commit([turn(1)]) == [NotOwned()]
    again = await first.renew()
    assert again.node != "node-1"
    assert not again.held


async def test_a_member_whose_connection_ended_is_expelled_soon() -> None:
    place = Place()
    _, second = await place.member(), await place.member()
    place.ways[0].connected = False
    place.now += 1_001
    assert (await second.renew()).held == EVERY_PARTITION


async def test_others_hear_of_messages_for_their_runs() -> None:
    place = Place()
    _, second = await place.member(), await place.member()
    (row,) = await second.send([(run_id(1), b"message")])
    await asyncio.sleep(0.1)
    assert InboxFilled((row.seq,)) in place.heard


async def test_a_transaction_that_is_later_may_have_lower_numbers() -> None:
    place = Place()
    first, second = await place.member(), await place.member()
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    place.ways[0].before_write = wait  # type: ignore[method-assign]
    late = asyncio.create_task(first.send([(run_id(1), b"late")]))
    await begun.wait()
    (soon,) = await second.send([(run_id(1), b"soon")])
    go_on.set()
    assert (await late)[0].seq < soon.seq
    assert [row.body for row in await first.inbox(0, 9)] == [b"late", b"soon"]
