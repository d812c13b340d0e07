"""Nodes that come and go in order, and roles: what must not be noticed, and how long it takes."""

import asyncio
import time
from typing import Final

from tests.faults.scenario import TROUBLE_S, World, even
from tests.faults.service import Call
from tests.faults.workflows import NAMESPACE

TAKING_UP_MS: Final = 1_000
"""How long a node may still look for calls of runs that came to it."""


class Changes:
    """The times in which partitions changed hands on purpose: instants in milliseconds UTC."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    async def coming_and_going(self, here: World) -> None:
        """A node joins, another leaves, again and again; the shares are even after each change."""
        times: list[float] = []
        for change in (1, -1, -1, 1, 1, -1):
            await asyncio.sleep(0.5 + here.random.random())
            began = time.time()
            if change > 0:
                await here.cluster.add()
            else:
                await here.random.choice(here.cluster.serving).leave()
            await even(here.database, here.cluster.engines)
            ended = time.time()
            times.append(ended - began)
            self.spans.append((int(began * 1000), int(ended * 1000) + TAKING_UP_MS))
        here.note(f"even again {', '.join(f'{seconds:.2f}' for seconds in times)} s after each change")

    def unexplained(self, here: World) -> list[Call]:
        """The calls that were made again although nothing changed while they were under way. A shaky one may be,
        after a time-out."""
        seen: dict[str, Call] = {}
        found: list[Call] = []
        for call in here.service.calls:
            first = seen.setdefault(call.key, call)
            if first is not call and call.steady and not self._during(first):
                found.append(first)
        return found

    def _during(self, call: Call) -> bool:
        return any(call.came_at <= ended and call.ended_at >= began for began, ended in self.spans)


async def roles(here: World) -> None:
    """Waits through the front for runs that others move; then each process is killed once, while all go on asking."""
    front, *engines = here.cluster.nodes
    held, members = await here.database.held(), await here.database.members(engines=False)
    assert len(members) == 3
    assert sorted(held.values()) == [32, 32], "a front end holds partitions"
    path = f"/api/v1/workflows/{NAMESPACE}/chain/runs?wait=2.5"
    waited: list[float] = []
    for number in range(4):
        began = time.monotonic()
        status, view = await here.load.insist("POST", path, (200, 202), {"n": number, "order": f"waiting-{number}"})
        waited.append(time.monotonic() - began)
        assert (status, view["status"]) == (200, "completed"), view
    here.note(f"waited {', '.join(f'{seconds:.2f}' for seconds in waited)} s for runs of other nodes")
    for node in (*engines, front):
        await asyncio.sleep(TROUBLE_S / 6)
        await node.kill()
        await asyncio.sleep(1 + here.random.random())
        await node.start()
