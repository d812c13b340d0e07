"""The service that the workflows call: it remembers every request, and answers after a while, badly, or not at all.

What it answers depends on the request alone: `n` and one more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import msgspec
from aiohttp import web

_LONGEST_ANSWER_S: Final = 0.15


class Call(msgspec.Struct):
    """One request. Instants are milliseconds UTC; `ended_at` is 0 while there is no answer."""

    key: str
    order: str
    task: str
    came_at: int
    ended_at: int = 0
    steady: bool = True
    """Whether it was to be waited for until it is answered."""


class Service:
    """`/steady` always answers in the end, `/shaky` may answer 503 or hang until nobody waits any more."""

    def __init__(self, random: Random, *, refused: float = 0.15, hung: float = 0.05) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self._random = random
        self._refused = refused
        self._hung = hung

    @property
    def repeated(self) -> Counter[str]:
        """The keys that came more than once, and how often more."""
        counts = Counter(call.key for call in self.calls)
        return Counter({key: count - 1 for key, count in counts.items() if count > 1})

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        call = Call(
            request.headers["Idempotency-Key"], body["order"], body["task"], _now_ms(), steady=request.path == "/steady"
        )
        self.calls.append(call)
        try:
            return await self._answer(request.path, body["n"], body["order"])
        finally:
            call.ended_at = _now_ms()

    async def _answer(self, path: str, n: int, order: str) -> web.Response:
        await asyncio.sleep(self._random.random() ** 2 * _LONGEST_ANSWER_S)
        if path == "/shaky":
            lot = self._random.random()
            if lot < self._refused:
                return web.json_response({"title": "Not now"}, status=503)
            if lot < self._refused + self._hung:
                await asyncio.get_running_loop().create_future()
        return web.json_response({"n": n + 1, "order": order})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Service]:
    """The service on a port of its own; requests end when their caller has gone."""
    app = web.Application()
    app.router.add_post("/{kind}", service.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()
