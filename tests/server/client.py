"""A client that sends as a test says and gives back status, headers and JSON."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from penstock.model.json_value import Json

_TIMEOUT_S: Final = 30.0
ENDED: Final = frozenset({"completed", "faulted", "cancelled"})


@dataclass(frozen=True)
class Answer:
    """What came back. `body` is None when there was none."""

    status: int
    headers: Mapping[str, str]
    body: Json

    @property
    def media(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]


class Client:
    """One server's interface."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self._session = session

    async def send(
        self,
        method: str,
        path: str,
        body: Json = ...,
        *,
        text: str | bytes | None = None,
        media: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends `body` as JSON, or `text` as `media`, or nothing. The path is sent as it stands."""
        given = dict(headers or {})
        data: str | bytes | None = text
        if body is not ...:
            data, media = json.dumps(body), media or "application/json"
        if media:
            given["Content-Type"] = media
        url = URL(self.base_url + path, encoded=True)
        async with self._session.request(method, url, data=data, headers=given, allow_redirects=False) as response:
            content = await response.read()
            is_json = response.content_type.endswith("json")
            shown = json.loads(content) if content and is_json else content.decode() or None
            return Answer(response.status, response.headers, shown)

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.send("GET", path, headers=headers)

    async def post(self, path: str, body: Json = ..., *, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.send("POST", path, body, headers=headers)

    async def deploy(self, document: Json) -> Answer:
        return await self.post("/api/v1/workflows", document)

    @asynccontextmanager
    async def opened(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[str, Json]]]:
        """The (id, data) of a stream's events; entered once the server has begun to answer."""
        async with self._session.get(self.base_url + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            yield _frames(response)

    async def frames(self, path: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[tuple[str, Json]]:
        """The (id, data) of a stream's events until its end."""
        async with self.opened(path, headers) as told:
            async for frame in told:
                yield frame

    async def until_ended(self, run_id: str) -> Json:
        """The run, once its stream has told of its end."""
        async for _, event in self.frames(f"/api/v1/runs/{run_id}/stream"):
            if event["type"].startswith("io.serverlessworkflow.workflow.") and event["type"].split(".")[3] in ENDED:
                break
        return (await self.get(f"/api/v1/runs/{run_id}")).body


async def _frames(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Json]]:
    lines: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            lines[name] = value
        elif not line and "data" in lines:
            yield lines["id"], json.loads(lines["data"])
            lines = {}


@asynccontextmanager
async def client_of(base_url: str, *, token: str = "") -> AsyncIterator[Client]:
    """A client whose connections close with the block."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, skip_auto_headers=["Content-Type"]) as session:
        yield Client(base_url, session)


def workflow(name: str, do: list[Json], *, version: str = "1.0.0", **members: Json) -> Json:
    """A document."""
    document = {"dsl": "1.0.3", "namespace": "tests", "name": name, "version": version}
    return {"document": document, "do": do, **members}
