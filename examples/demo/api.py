"""The engine's HTTP API, as a client that expects the engine to die at any moment.

A request that got no answer is sent again until there is one. That is safe because each of them may be repeated:
starts carry an `Idempotency-Key`, events an id, and storing a definition twice stores it once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from penstock.model.json_value import Json

RETRY_INTERVAL_S: Final = 0.1
REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
PAGE_ITEMS: Final = 1000


class Refused(Exception):
    """The engine answered, but not as the demo needs it."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]


class Api:
    """Requests to one engine. `repeated` counts the requests that were sent again for want of an answer."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self.repeated = 0

    async def post(
        self, path: str, body: str | bytes, *, media: str = "application/json", key: str | None = None
    ) -> Answer:
        """POSTs until there is an answer; raises `Refused` unless it is a success."""
        headers = {"Content-Type": media} | ({} if key is None else {"Idempotency-Key": key})
        while True:
            try:
                return await self._exchange("POST", path, body, headers)
            except (aiohttp.ClientError, TimeoutError):
                self.repeated += 1
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def get(self, path: str) -> Json:
        """The body of the answer; raises `aiohttp.ClientError` when the engine is not there."""
        return (await self._exchange("GET", path, None, {})).body

    async def runs(self, workflow: str) -> list[dict[str, Any]]:
        """Every run of a workflow (`namespace/name`), newest first."""
        return (await self.get(f"/api/v1/runs?workflow={workflow}&limit={PAGE_ITEMS}"))["items"]

    async def history(self, run_id: str) -> list[dict[str, Any]]:
        """What happened in a run, as lifecycle events in order."""
        return (await self.get(f"/api/v1/runs/{run_id}/history?limit={PAGE_ITEMS}"))["items"]

    async def _exchange(self, method: str, path: str, body: str | bytes | None, headers: Mapping[str, str]) -> Answer:
        url = self._base_url + path
        async with self._session.request(method, url, data=body, headers=headers, timeout=REQUEST_TIMEOUT) as response:
            if not 200 <= response.status < 300:
                raise Refused(f"{method} {path} was answered {response.status}: {await response.text()}")
            return Answer(response.status, await response.json(content_type=None), response.headers)
