"""The client of the HTTP API that the command line uses: plain, quick to import, every wait bounded."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from penstock.cli.exits import INVALID, UNREACHABLE, CommandFailed
from penstock.cli.problems import failure
from penstock.cli.sse import Event, read_events
from penstock.model.json_value import Json
from penstock.model.limits import (
    MAX_CLIENT_ANSWER_BYTES,
    MAX_CLIENT_RECONNECTS,
    MAX_PAGE_ITEMS,
    REQUEST_TIMEOUT_MS,
    STREAM_HEARTBEAT_MS,
)

JSON_TYPE: Final = "application/json"
_STREAM_SILENCE_S: Final = 3 * STREAM_HEARTBEAT_MS / 1000

Query = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """`body` is None when there was none."""

    status: int
    body: Json


class Api:
    """One server. Every failure is a `CommandFailed` with its exit status."""

    def __init__(self, url: str, token: str = "", *, timeout_s: float = REQUEST_TIMEOUT_MS / 1000) -> None:
        parts = _address(url)
        self.url: Final = url.rstrip("/")
        self._parts = parts
        self._token = token
        self._timeout_s = timeout_s

    def get(self, path: str, query: Query = ()) -> Json:
        return self.request("GET", path, query).body

    def request(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: bytes | None = None,
        *,
        media: str = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        document: str = "",
    ) -> Answer:
        """The answer to a request. `document` names the file in the body, for findings with places in it."""
        sent = {**self._headers(), **(headers or {})}
        if body is not None:
            sent["Content-Type"] = media
        connection = self._connection(timeout_s or self._timeout_s)
        try:
            connection.request(method, self._target(path, query), body, sent)
            response = connection.getresponse()
            data = response.read(MAX_CLIENT_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        value = self._decoded(response.status, data)
        if response.status >= 300:
            raise failure(response.status, value, document)
        return Answer(response.status, value)

    def items(self, path: str, query: Query = (), *, most: int) -> Iterator[dict[str, Json]]:
        """The items of a list, page by page, `most` at most."""
        cursor: str | None = None
        while most > 0:
            wanted = [*query, ("limit", str(min(most, MAX_PAGE_ITEMS)))]
            page = self.get(path, [*wanted, ("cursor", cursor)] if cursor else wanted)
            yield from page["items"][:most]
            most -= len(page["items"])
            cursor = page.get("next_cursor")
            if not cursor or not page["items"]:
                return

    def events(self, path: str, after: str = "") -> Iterator[Event]:
        """The events of a live stream after the one with the id `after`, until the server ends it.

        A connection that is lost is opened again where it ended, a few times.
        """
        last, lost = after, 0
        while True:
            try:
                for event in self._stream(path, last):
                    last, lost = event.id or last, 0
                    yield event
                return
            except (OSError, http.client.HTTPException) as error:
                lost += 1
                if lost > MAX_CLIENT_RECONNECTS or isinstance(error, ConnectionRefusedError):
                    raise self._unreachable(error) from None

    def _stream(self, path: str, last: str) -> Iterator[Event]:
        headers = {**self._headers(), "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        connection = self._connection(_STREAM_SILENCE_S)
        try:
            connection.request("GET", self._target(path, ()), None, headers)
            response = connection.getresponse()
            if response.status != 200:
                data = response.read(MAX_CLIENT_ANSWER_BYTES + 1)
                raise failure(response.status, self._decoded(response.status, data))
            yield from read_events(response)
            if not response.isclosed():  # the library shows a connection lost in the middle as an ordinary end
                raise ConnectionResetError("the stream was cut off")
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout_s)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _target(self, path: str, query: Query) -> str:
        target = self._parts.path.rstrip("/") + path
        return f"{target}?{urlencode(query)}" if query else target

    def _decoded(self, status: int, data: bytes) -> Json:
        if len(data) > MAX_CLIENT_ANSWER_BYTES:
            raise CommandFailed(UNREACHABLE, f"the answer is larger than {MAX_CLIENT_ANSWER_BYTES} bytes")
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError:
            if status >= 300:
                return None
            message = f"{self.url} does not answer as a Penstock server does"
            raise CommandFailed(UNREACHABLE, message, advice="another --url") from None

    def _unreachable(self, error: Exception) -> CommandFailed:
        slow = isinstance(error, TimeoutError)
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = "it does not answer in time" if slow else text
        return CommandFailed(
            UNREACHABLE,
            f"cannot reach {self.url}: {reason}",
            advice="`penstock up` starts a server; --url or PENSTOCK_URL names another one",
        )


def _address(url: str) -> SplitResult:
    """The parts of an http address; anything else is wrong usage."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass  # a port that is none, or half an IPv6 address
    raise CommandFailed(INVALID, f"--url: {url[:200]!r} is no http address", advice="--url http://HOST:PORT")


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="")
