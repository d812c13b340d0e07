"""Three real nodes over one real database, under load: killed, frozen, cut off, without their database; and all of it.

A seed says what happens when, as far as real processes obey: `make faults TIMES=20` takes another one each time. One
file, so that its tests never run side by side.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults import changes, troubles
from tests.faults.replica import replicated
from tests.faults.scenario import Trouble, survive, world
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.slow

SEED: Final = os.environ.get("PENSTOCK_FAULTS_SEED", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """As it comes: every commit is flushed."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A server and its synchronous replica."""
    with replicated() as both:
        yield both


async def endure(directory: Path, server: PostgresServer, trouble: Trouble) -> None:
    async with world(directory, server, f"{SEED}/{trouble.__name__}") as here:
        await survive(here, trouble)


@pytest.mark.mission("M007", "M021")
async def test_nodes_that_are_killed_lose_and_double_nothing(tmp_path: Path, server: PostgresServer) -> None:
    await endure(tmp_path, server, troubles.killing)


@pytest.mark.mission("M021")
async def test_a_node_that_was_frozen_writes_nothing_late_and_joins_again(
    tmp_path: Path, server: PostgresServer
) -> None:
    await endure(tmp_path, server, troubles.freezing)


async def test_nodes_outlast_restarts_of_their_database(tmp_path: Path, server: PostgresServer) -> None:
    await endure(tmp_path, server, troubles.restarting)


async def test_nodes_outlast_a_network_that_cuts_delays_and_swallows(tmp_path: Path, server: PostgresServer) -> None:
    await endure(tmp_path, server, troubles.disturbing)


@pytest.mark.mission("M007")
async def test_all_faults_together_lose_and_double_nothing(tmp_path: Path, server: PostgresServer) -> None:
    await endure(tmp_path, server, troubles.everything)


async def test_nodes_that_come_and_go_in_order_disturb_nobody(tmp_path: Path, server: PostgresServer) -> None:
    """Only calls that were under way during a change may be made again, under the key that they had."""
    moments = changes.Changes()
    async with world(tmp_path, server, f"{SEED}/changes", hung=0.0) as here:
        await survive(here, moments.coming_and_going)
        assert moments.unexplained(here) == []


@pytest.mark.mission("M128")
async def test_a_front_end_serves_what_two_engines_run(tmp_path: Path, server: PostgresServer) -> None:
    kinds = ("api", "engine", "engine")
    async with world(tmp_path, server, f"{SEED}/roles", roles=kinds, asked=lambda all_: all_.nodes[:1]) as here:
        await survive(here, changes.roles)


async def test_nodes_go_on_over_a_synchronous_replica(
    tmp_path: Path, pair: tuple[PostgresServer, PostgresServer]
) -> None:
    primary, replica = pair
    async with world(tmp_path, primary, f"{SEED}/replica") as here:
        await survive(here, lambda here: troubles.failing_over(here, replica))
