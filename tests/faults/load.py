"""Clients of the nodes: they start runs, publish events, hold and cancel runs; each asks any node until answered."""

import asyncio
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import aiohttp
import msgspec

from penstock.model.json_value import Json
from tests.faults.cluster import Node
from tests.faults.workflows import NAMESPACE, Plan

PATIENCE_S: Final = 3.0
"""How long a client waits for one answer before it asks another node."""
_ANSWER_LOST: Final = 0.05
_TTL_S: Final = 600
_RETRYABLE: Final = frozenset({429, 502, 503, 504})


class Start(msgspec.Struct, frozen=True):
    """A run to start, and what is done to it. `at_s` is when; `events` (when, type, n) are what it will hear."""

    at_s: float
    key: str
    plan: Plan
    n: int
    events: tuple[tuple[float, str, int], ...]
    cancel_after_s: float | None = None
    suspend_after_s: float | None = None

    @property
    def output(self) -> int:
        """The `n` that comes out, unless it is cancelled."""
        return self.n + self.plan.added + sum(n for _, _, n in self.events)


class Ledger(msgspec.Struct):
    """What clients were told."""

    started: dict[str, str] = {}
    """The run of each acknowledged start."""
    published: set[str] = set()
    answers: int = 0
    retries: int = 0
    slowest_s: float = 0.0
    """From the first time that something was asked for until it was answered."""
    surprises: list[str] = []


def starts_of(random: Random, plans: Sequence[Plan], *, count: int, over_s: float) -> list[Start]:
    """`count` starts, spread over `over_s`, with an event now and then before, but mostly after the start."""
    return [_start(random, f"order-{number}", random.choice(plans), over_s) for number in range(count)]


def _start(random: Random, key: str, plan: Plan, over_s: float) -> Start:
    at_s = random.random() * over_s
    events = tuple((max(0.0, at_s + random.uniform(-1, 4)), type_, random.randint(1, 9)) for type_ in plan.hears)
    lot = random.random()
    cancel = random.random() * 2 if lot < 0.1 else None
    suspend = random.random() if 0.1 <= lot < 0.25 else None
    return Start(at_s, key, plan, random.randint(0, 99), events, cancel, suspend)


class Load:
    """`run` ends when everything that was to be asked for has been acknowledged."""

    def __init__(
        self, nodes: Callable[[], Sequence[Node]], random: Random, plans: Sequence[Plan], starts: Sequence[Start]
    ):
        self.ledger = Ledger()
        self.plans = plans
        self.starts = starts
        self.done = False
        self._nodes = nodes
        self._random = random

    async def __aenter__(self) -> "Load":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def run(self) -> None:
        """Everything that is to be asked for."""
        async with asyncio.TaskGroup() as group:
            for start in self.starts:
                group.create_task(self._live(start))
                for event in start.events:
                    group.create_task(self._publish(start, *event))
        self.done = True

    async def deploy(self) -> None:
        """Every workflow, each by any node."""
        for plan in self.plans:
            await self.insist("POST", "/api/v1/workflows", (200, 201), plan.document)

    async def insist(
        self, method: str, path: str, expected: Sequence[int], body: Json = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Json]:
        """Status and body of the first answer that says something. What says neither yes nor "later" is a surprise."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            if (found := await self._ask(method, path, expected, body, headers)) is not None:
                self.ledger.answers += 1
                self.ledger.slowest_s = max(self.ledger.slowest_s, loop.time() - began)
                return found
            self.ledger.retries += 1
            await asyncio.sleep(0.05 + self._random.random() * 0.3)

    async def _ask(
        self, method: str, path: str, expected: Sequence[int], body: Json, headers: dict[str, str] | None
    ) -> tuple[int, Json] | None:
        nodes = self._nodes()
        if not nodes:
            return None
        node = self._random.choice(nodes)
        try:
            async with self._session.request(method, node.url + path, json=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        if answer.status in _RETRYABLE or self._random.random() < _ANSWER_LOST:
            return None
        if answer.status not in expected:
            self.ledger.surprises.append(f"{method} {path} at {node.name}: {answer.status} {text[:300]}")
        return answer.status, json.loads(text) if text else None

    async def _live(self, start: Start) -> None:
        await asyncio.sleep(start.at_s)
        run_id = await self._begin(start)
        await self.insist("GET", f"/api/v1/runs/{run_id}", (200,))  # at any node: what was acknowledged is there
        path = f"/api/v1/runs/{run_id}"
        if start.cancel_after_s is not None:
            await asyncio.sleep(start.cancel_after_s)
            await self.insist("POST", f"{path}:cancel", (202, 409))
        if start.suspend_after_s is not None:
            await asyncio.sleep(start.suspend_after_s)
            await self.insist("POST", f"{path}:suspend", (202, 409))
            await asyncio.sleep(start.suspend_after_s)
            await self.resume(run_id)

    async def resume(self, run_id: str) -> None:
        """A request to suspend may take effect late, after the one to resume: then this is asked for once more."""
        await self.insist("POST", f"/api/v1/runs/{run_id}:resume", (202, 409))

    async def _begin(self, start: Start) -> str:
        path = f"/api/v1/workflows/{NAMESPACE}/{start.plan.name}/runs?label=start:{start.key}"
        body = {"n": start.n, "order": start.key}
        _, view = await self.insist("POST", path, (200, 202), body, {"Idempotency-Key": start.key})
        run_id = view["id"]
        if self.ledger.started.setdefault(start.key, run_id) != run_id:
            self.ledger.surprises.append(f"{start.key} is {self.ledger.started[start.key]} and {run_id}")
        return run_id

    async def _publish(self, start: Start, at_s: float, type_: str, n: int) -> None:
        await asyncio.sleep(at_s)
        event = {
            "specversion": "1.0",
            "id": f"{start.key}/{type_}",
            "source": "/outside",
            "type": type_,
            "penstockttl": _TTL_S,
            "data": {"order": start.key, "n": n},
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        for _ in range(self._random.choice([1, 1, 2])):
            await self.insist("POST", "/api/v1/events", (202,), event, headers)
            self.ledger.published.add(str(event["id"]))
