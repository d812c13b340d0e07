"""A thin client of the HTTP contract: it sends, and says exactly what came back when that is wrong."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp
from yarl import URL

from penstock.model.json_value import Json

REQUEST_TIMEOUT_S = 60.0
PROBLEM_TYPE = "application/problem+json"
_PAGE_LIMIT = 200
_PAGES_LIMIT = 50

Media = Literal["application/json", "application/yaml", "application/cloudevents+json"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, with the request it belongs to for messages. Header names are lower case."""

    request: str
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def media(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def body(self) -> Json:
        """The JSON body; fails the test when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise AssertionError(f"{self}: expected a JSON body") from None

    def expect(self, *statuses: int) -> "Answer":
        """This answer, if its status is one of these; fails the test otherwise."""
        if self.status not in statuses:
            wanted = " or ".join(map(str, statuses))
            raise AssertionError(f"{self.request}: expected status {wanted}, got {self}")
        return self

    def expect_problem(self, *statuses: int) -> Json:
        """The problem details of an error answer (RFC 9457)."""
        self.expect(*statuses)
        if self.media != PROBLEM_TYPE:
            raise AssertionError(f"{self}: expected {PROBLEM_TYPE}, got {self.media!r}")
        return self.body

    def __str__(self) -> str:
        return f"{self.request} -> {self.status} {self.text[:2000]}"


class Api:
    """One server's HTTP interface."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self._session = session

    async def request(
        self, method: str, path: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send the path as it stands (already escaped) and read the whole answer."""
        url = URL(self.base_url + path, encoded=True)
        async with self._session.request(
            method,
            url,
            data=data,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            text = (await response.read()).decode("utf8", "replace")
            members = {name.lower(): value for name, value in response.headers.items()}
            return Answer(f"{method} {path}", response.status, members, text)

    async def send_json(self, method: str, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a JSON body."""
        return await self.request(
            method,
            path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )

    async def put_secret(self, name: str, value: Json) -> None:
        """Store a secret."""
        (await self.send_json("PUT", f"/api/v1/secrets/{name}", {"value": value})).expect(204)

    async def deploy(self, text: str, media: Media) -> Answer:
        """Store a workflow given as text."""
        return await self.request("POST", "/api/v1/workflows", data=text.encode(), headers={"Content-Type": media})

    async def check(self, text: str, media: Media) -> Json:
        """What the server thinks of a workflow, storing nothing."""
        answer = await self.request(
            "POST", "/api/v1/workflows:check", data=text.encode(), headers={"Content-Type": media}
        )
        return answer.expect(200).body

    async def start(
        self,
        namespace: str,
        name: str,
        run_input: Json,
        *,
        version: str = "latest",
        wait_s: float | None = None,
    ) -> Answer:
        """Start a run; with `wait_s` the answer is 200 and the run if it ended in that time."""
        wait = "" if wait_s is None else f"&wait={wait_s:g}"
        path = f"/api/v1/workflows/{namespace}/{name}/runs?version={version}{wait}"
        return await self.send_json("POST", path, run_input)

    async def run(self, run_id: str) -> Json:
        """A run as it is now."""
        return (await self.request("GET", f"/api/v1/runs/{run_id}")).expect(200).body

    async def control(self, run_id: str, verb: str) -> None:
        """Cancel, suspend or resume a run."""
        (await self.request("POST", f"/api/v1/runs/{run_id}:{verb}")).expect(202)

    async def send_event(self, event: Json) -> None:
        """Publish a structured CloudEvent."""
        answer = await self.request(
            "POST",
            "/api/v1/events",
            data=json.dumps(event).encode(),
            headers={"Content-Type": "application/cloudevents+json"},
        )
        answer.expect(202)

    async def items(self, path: str) -> list[Json]:
        """All items of a list, page after page."""
        found: list[Json] = []
        cursor: str | None = None
        for _ in range(_PAGES_LIMIT):
            joint = "&" if "?" in path else "?"
            more = "" if cursor is None else f"&cursor={cursor}"
            page = (await self.request("GET", f"{path}{joint}limit={_PAGE_LIMIT}{more}")).expect(200).body
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found
        raise AssertionError(f"GET {path}: more than {_PAGES_LIMIT} pages")


@asynccontextmanager
async def api_client(base_url: str) -> AsyncIterator[Api]:
    """A client whose connections close with the block."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Api(base_url, session)
