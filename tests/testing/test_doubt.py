"""A store that wrote and said that it did not: what was asked for is not forgotten, even if nothing else happens."""

import asyncio

import pytest

from penstock.errors import InfrastructureError
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.testing.store import Calm, SimulatedDisk, SimulatedStore

KEY = "c2ltdWxhdGVkIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="
LISTEN = """
document: {dsl: '1.0.3', namespace: test, name: listen, version: '1.0.0'}
do:
- l: {listen: {to: {one: {with: {type: a}}}}}
"""
EVENT = {"specversion": "1.0", "id": "e1", "source": "/test", "type": "a", "data": {"n": 1}}


class Lying(Calm):
    """The next `lies` writes are on disk and report failure."""

    def __init__(self) -> None:
        self.lies = 0

    async def after_write(self) -> None:
        await asyncio.sleep(0)
        if self.lies:
            self.lies -= 1
            raise InfrastructureError("the disk wrote and said that it did not")


async def test_an_event_whose_writing_was_in_doubt_is_routed() -> None:
    faults, disk = Lying(), SimulatedDisk()
    async with Engine(
        Settings(store="memory:", key=KEY, log_level="error"), store=SimulatedStore(disk, faults)
    ) as engine:
        await engine.deploy(LISTEN)
        run = await engine.start_run("test", "listen", "latest", {})
        faults.lies = 1
        with pytest.raises(InfrastructureError):
            await engine.publish([EVENT])
        run = await engine.wait_run(run.id, 10)
    disk.close()
    assert (run.status, run.output) == ("completed", [{"n": 1}])


async def test_a_delivery_whose_writing_was_in_doubt_is_noticed() -> None:
    faults, disk = Lying(), SimulatedDisk()
    async with Engine(
        Settings(store="memory:", key=KEY, log_level="error"), store=SimulatedStore(disk, faults)
    ) as engine:
        await engine.deploy(LISTEN)
        run = await engine.start_run("test", "listen", "latest", {})
        await engine.publish([EVENT])
        faults.lies = 1  # the next write is the router's
        run = await engine.wait_run(run.id, 10)
    disk.close()
    assert (run.status, run.output) == ("completed", [{"n": 1}])
