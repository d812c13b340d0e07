"""What the oracle of these tests finds: nothing in a good world, and each thing that is not as it must be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.oracle import defects, examine
from tests.faults.scenario import World, survive, world
from tests.faults.service import Call
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.slow

_ONE: Final = """
    CREATE TEMP TABLE one AS
    SELECT id FROM runs WHERE name = 'chain' AND status = 'completed' AND parent_id = '' ORDER BY id LIMIT 1
"""
WRONG: Final = {
    "a lost transition": ("DELETE FROM journal WHERE run_id = (SELECT id FROM one) AND seq = 2", "its journal at"),
    "a state of another moment": (
        "UPDATE runs SET state = state || 'x' WHERE id = (SELECT id FROM one)",
        "does not give its state",
    ),
    "a lost run": ("DELETE FROM run_labels WHERE run_id = (SELECT id FROM one)", "was acknowledged as"),
    "a run too many": (
        "INSERT INTO run_labels SELECT key, value, 'other' FROM run_labels WHERE run_id = (SELECT id FROM one)",
        "was acknowledged as",
    ),
    "a run that hangs": ("UPDATE runs SET status = 'running' WHERE id = (SELECT id FROM one)", "has not ended"),
    "a lost event": ("DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)", "stored or acknowledged"),
    "a message nobody took": (
        "INSERT INTO inbox (partition, run_id, body) SELECT 0, (SELECT id FROM one), ''",
        "an inbox row that waits",
    ),
    "a deadline nobody keeps": ("UPDATE runs SET next_at = 1 WHERE id = (SELECT id FROM one)", "outlives its run"),
    "a child too many": (
        "UPDATE runs SET parent_id = (SELECT id FROM one) WHERE id = (SELECT max(id) FROM runs)",
        "has the children",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer("fsync=off")
    yield server
    server.remove()


async def _nothing(_: World) -> None:
    pass


async def test_it_finds_what_is_wrong_and_nothing_else(tmp_path: Path, server: PostgresServer) -> None:
    async with world(tmp_path, server, "oracle", roles=("",), starts=30) as here:
        await survive(here, _nothing)

        async def found() -> str:
            return "\n".join((await examine(here.database, here.load, here.service, here.cluster.nodes)).violations)

        await here.database.change(_ONE)
        for what, (statement, said) in WRONG.items():
            await here.database.change("BEGIN")
            await here.database.change(statement)
            assert said in await found(), what
            await here.database.change("ROLLBACK")
        assert await found() == ""
        seen = here.service.calls
        seen.append(Call("nobody's key", "order-1", "a", seen[0].came_at))
        assert "was never written" in await found()
        seen[-1] = Call(seen[0].key, "order-1000", "a", seen[0].came_at)
        assert "was called as" in await found()
        del seen[-1]
        seen[0].came_at -= 60_000
        assert "came before it was written" in await found()
        del seen[0]
        assert "answered and never made" in await found()


def test_it_finds_defects_in_logs() -> None:
    defect = '{"event": "turn failed", "run": "1"}'
    assert defects(f'not json\n{{"event": "stopping"}}\n{defect}\n{{"event": "cut sho') == [defect]
