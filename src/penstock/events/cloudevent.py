"""CloudEvents 1.0 to and from JSON and HTTP: binary, structured and batched. Pure.

Source: CloudEvents 1.0.2, "HTTP Protocol Binding" and "JSON Event Format".
"""

import base64
import re
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import quote, unquote_to_bytes

import msgspec

from penstock.events.attributes import attribute_text
from penstock.events.event_error import EventError, EventTooLarge, EventTypeUnsupported
from penstock.events.validation import DATA, event_ttl_ms, parse_structured
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES, MAX_EVENTS_PER_BATCH

__all__ = [
    "BATCH", "STRUCTURED", "EventError", "EventTooLarge", "EventTypeUnsupported", "event_ttl_ms",
    "parse_http", "parse_structured", "to_batch", "to_binary", "to_structured",
]  # fmt: skip

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
_PREFIX: Final = "ce-"
_HEADER_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_ESCAPE_IN_QUOTES: Final = re.compile(r"\\(.)")


def parse_http(headers: Mapping[str, str], body: bytes) -> list[dict[str, Json]]:
    """The events of one HTTP request, each as `parse_structured` gives it; a batch may hold none.

    The mode follows from the Content-Type (`STRUCTURED`, `BATCH`), then from `ce-specversion` (binary); a
    plain JSON object with `specversion` is taken as structured. Names of headers in any case.
    Raises `EventError`.
    """
    if len(body) > MAX_BODY_BYTES:
        raise EventTooLarge(f"the request is larger than {MAX_BODY_BYTES} bytes")
    named = {name.lower(): value for name, value in headers.items()}
    media_type = _essence(named.get("content-type", ""))
    if media_type == BATCH:
        return _batch(_json(body))
    if media_type == STRUCTURED:
        return [parse_structured(_json(body))]
    if media_type.startswith("application/cloudevents"):
        raise EventTypeUnsupported(f"{media_type[:100]} is not supported; send {STRUCTURED}")
    if "ce-specversion" in named:
        return [_binary(named, media_type, body)]
    if not _is_json(media_type):
        raise EventTypeUnsupported(f"no event: send {STRUCTURED}, {BATCH}, or the header ce-specversion")
    data = _json(body)
    if not isinstance(data, dict) or "specversion" not in data:
        raise EventError(f"no event: the JSON object has no 'specversion'; a list is sent as {BATCH}")
    return [parse_structured(cast("Json", data))]


def _batch(data: Json) -> list[dict[str, Json]]:
    if not isinstance(data, list):
        raise EventError("a batch must be a JSON array")
    items = cast("list[Json]", data)
    if len(items) > MAX_EVENTS_PER_BATCH:
        raise EventTooLarge(f"a batch has at most {MAX_EVENTS_PER_BATCH} events; this one has {len(items)}")
    events: list[dict[str, Json]] = []
    for index, item in enumerate(items):
        try:
            events.append(parse_structured(item))
        except EventError as error:
            (finding,) = error.errors
            raise type(error)(finding.message, f"/{index}{error.pointer}") from None
    return events


def _binary(named: Mapping[str, str], media_type: str, body: bytes) -> dict[str, Json]:
    """In binary mode every attribute is a text; the data is what its Content-Type says."""
    event: dict[str, Json] = {}
    for header, value in named.items():
        name = header.removeprefix(_PREFIX)
        if name == header:
            continue
        if name in DATA or name == "datacontenttype":
            raise EventError(f"the header {header} is not allowed; data is the body, its type Content-Type")
        event[name] = _header_text(header, value)
    if media_type:
        event["datacontenttype"] = named["content-type"]
    if body:
        event |= _data_of(media_type, named.get("content-type", ""), body)
    return parse_structured(event)


def _data_of(media_type: str, content_type: str, body: bytes) -> dict[str, Json]:
    if _is_json(media_type):
        return {"data": _json(body)}
    if media_type.startswith("text/") and "charset" not in content_type.lower().replace("charset=utf-8", ""):
        try:
            return {"data": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"data_base64": base64.b64encode(body).decode()}


def _header_text(header: str, value: str) -> str:
    """A header's value without quotes and percent-escapes."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _ESCAPE_IN_QUOTES.sub(r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise EventError(f"the header {header} is not UTF-8 in percent-encoding") from None


def _json(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = "is nested too deep" if isinstance(error, RecursionError) else f"is not valid JSON: {error}"
        raise EventError(f"the body {reason}") from None


def _essence(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def to_structured(event: Mapping[str, Json]) -> dict[str, Json]:
    """The event in the JSON format: attributes first, then the data, nulls among the attributes left out."""
    attributes = {name: value for name, value in event.items() if name not in DATA and value is not None}
    return {**attributes, **{name: event[name] for name in event if name in DATA}}


def to_batch(events: list[dict[str, Json]]) -> bytes:
    """The body of a batch (`BATCH`)."""
    return msgspec.json.encode([to_structured(event) for event in events])


def to_binary(event: Mapping[str, Json]) -> tuple[dict[str, str], bytes]:
    """Headers and body of the event in binary mode; Content-Type is `datacontenttype`, by default JSON."""
    headers: dict[str, str] = {}
    for name, value in event.items():
        if name in DATA or name == "datacontenttype" or (text := attribute_text(value)) is None:
            continue
        headers[_PREFIX + name] = quote(text, safe=_HEADER_SAFE)
    content_type = event.get("datacontenttype")
    if "data_base64" in event:
        if isinstance(content_type, str):
            headers["content-type"] = content_type
        return headers, base64.b64decode(str(event["data_base64"]))
    if "data" not in event:
        return headers, b""
    headers["content-type"] = content_type if isinstance(content_type, str) else "application/json"
    data = event["data"]
    if isinstance(data, str) and not _is_json(_essence(headers["content-type"])):
        return headers, data.encode()
    return headers, msgspec.json.encode(data)
