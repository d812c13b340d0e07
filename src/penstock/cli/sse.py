"""Reads server-sent events (WHATWG HTML, "Server-sent events") off a response."""

import json
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from penstock.model.json_value import Json
from penstock.model.limits import MAX_CLIENT_ANSWER_BYTES


class Lines(Protocol):
    """Something that gives lines of at most so many bytes; an empty one is the end."""

    def readline(self, limit: int = ..., /) -> bytes: ...


class Event(NamedTuple):
    """One event; `data` is parsed JSON."""

    id: str
    type: str
    data: Json


def read_events(lines: Lines) -> Iterator[Event]:
    """The events until the stream ends. Comments (heartbeats) and events without data are passed over.

    An event that the stream's end cuts off is dropped, as the standard says. Raises `ConnectionError` for data
    that is no JSON or beyond the limit.
    """
    fields: dict[str, str] = {}
    data: list[str] = []
    size = 0
    while line := lines.readline(MAX_CLIENT_ANSWER_BYTES):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if data:
                yield Event(fields.get("id", ""), fields.get("event", "message"), _parsed("\n".join(data)))
            fields, data, size = {}, [], 0
            continue
        name, _, value = text.partition(":")
        if name == "data":
            size += len(value)
            if size >= MAX_CLIENT_ANSWER_BYTES:
                raise ConnectionError("an event of the stream is too large")
            data.append(value.removeprefix(" "))
        elif name:
            fields[name] = value.removeprefix(" ")


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        raise ConnectionError("an event of the stream is no JSON") from None
