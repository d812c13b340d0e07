"""Checks one CloudEvent 1.0 in its JSON form. Pure. Source: CloudEvents 1.0.2, and its JSON format."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, cast

from penstock.events.event_error import EventError, EventTooLarge
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json, check_json
from penstock.model.limits import (
    EVENT_TTL_MS,
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTE_NAME,
    MAX_EVENT_ATTRIBUTES,
    MAX_EVENT_TTL_MS,
)

DATA: Final = frozenset({"data", "data_base64"})
_REQUIRED: Final = ("specversion", "id", "source", "type")
_NAME: Final = re.compile(r"[a-z0-9]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,30})?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+*-]+[ \t]*(?:;.*)?", re.ASCII)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")


def parse_structured(data: Json) -> dict[str, Json]:
    """The event that `data` is in the JSON format: a new object, context attributes first, nulls left out.

    Raises `EventError` (400, 413 for limits) with the JSON Pointer of what is wrong. Guaranteed afterwards:
    `id`, `source` and `type` are texts, `specversion` is "1.0", extensions are texts, integers or booleans,
    and at most one of `data` and `data_base64` is there. The data itself is not looked into.
    """
    if not isinstance(data, dict):
        raise EventError("an event must be a JSON object")
    if (problem := check_json(data)) is not None:
        raise EventError(f"the event {problem}")
    members = cast("dict[str, Json]", data)
    attributes = {name: value for name, value in members.items() if name not in DATA and value is not None}
    if len(attributes) > MAX_EVENT_ATTRIBUTES:
        raise EventTooLarge(f"an event has at most {MAX_EVENT_ATTRIBUTES} attributes; this one has {len(attributes)}")
    for name in _REQUIRED:
        if name not in attributes:
            raise EventError(f"the attribute {name!r} is missing", f"/{name}")
    for name, value in attributes.items():
        _check_attribute(name, value)
    return {**attributes, **_payload(members)}


def _payload(members: Mapping[str, Json]) -> dict[str, Json]:
    if members.get("data_base64") is None:
        return {"data": members["data"]} if "data" in members else {}
    if members.get("data") is not None:
        raise EventError("an event has either 'data' or 'data_base64', not both", "/data_base64")
    encoded = members["data_base64"]
    if not isinstance(encoded, str):
        raise EventError("must be a text in base64", "/data_base64")
    try:
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise EventError("is not valid base64", "/data_base64") from None
    return {"data_base64": encoded}


def _check_attribute(name: str, value: Json) -> None:
    shown = name[:MAX_ATTRIBUTE_NAME]
    if not _NAME.fullmatch(name):
        raise EventError(f"{shown!r} is no attribute name: only lower-case letters and digits are", f"/{shown}")
    if len(name) > MAX_ATTRIBUTE_NAME:
        raise EventTooLarge(f"an attribute name has at most {MAX_ATTRIBUTE_NAME} characters", f"/{shown}")
    if name in _CHECKS:
        if not isinstance(value, str):
            raise EventError("must be a text", f"/{name}")
        _check_text(name, value)
        if (reason := _CHECKS[name](value)) is not None:
            raise EventError(reason, f"/{name}")
    elif isinstance(value, str):
        _check_text(name, value)
    elif not isinstance(value, bool) and not (isinstance(value, int) and -(2**31) <= value < 2**31):
        raise EventError("an extension must be a text, a boolean or an integer of 32 bits", f"/{name}")
    if name == "penstockttl" and isinstance(reason := _ttl_ms(value), str):
        raise EventError(reason, "/penstockttl")


def _check_text(name: str, value: str) -> None:
    if len(value.encode()) > MAX_ATTRIBUTE_BYTES:
        raise EventTooLarge(f"is longer than {MAX_ATTRIBUTE_BYTES} bytes", f"/{name}")
    if _CONTROL.search(value):
        raise EventError("holds a control character", f"/{name}")


def _not_empty(value: str) -> str | None:
    return None if value else "must not be empty"


def _version(value: str) -> str | None:
    return None if value == "1.0" else f'must be "1.0"; {value[:20]!r} is not supported'


def _uri_reference(value: str) -> str | None:
    return None if value and not any(mark in value for mark in ' "<>\\^`{|}') else "must be a URI reference"


def _absolute_uri(value: str) -> str | None:
    return None if _ABSOLUTE.fullmatch(value) and _uri_reference(value) is None else "must be an absolute URI"


def _media_type(value: str) -> str | None:
    return None if _MEDIA_TYPE.fullmatch(value) else "must be a media type such as application/json"


def _timestamp(value: str) -> str | None:
    """RFC 3339 `date-time`, as far as the calendar."""
    match = _TIME.fullmatch(value)
    try:
        if match is not None and date(int(match[1]), int(match[2]), int(match[3])):
            return None
    except ValueError:
        pass
    return "must be a time of RFC 3339 such as 2025-01-31T12:00:00Z"


_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "specversion": _version,
    "id": _not_empty,
    "source": _uri_reference,
    "type": _not_empty,
    "subject": _not_empty,
    "datacontenttype": _media_type,
    "dataschema": _absolute_uri,
    "time": _timestamp,
}


def event_ttl_ms(event: Mapping[str, Json]) -> int:
    """How long the event waits for a listener that comes late, milliseconds.

    The extension `penstockttl` is a number of seconds (`90`, or "90" as in binary mode) or an ISO 8601
    duration ("PT1M30S"); 0 means not at all, more than `MAX_EVENT_TTL_MS` means that. Without it, or when it
    is neither (`parse_structured` refuses such an event), `EVENT_TTL_MS`.
    """
    if (given := event.get("penstockttl")) is None:
        return EVENT_TTL_MS
    found = _ttl_ms(given)
    return EVENT_TTL_MS if isinstance(found, str) else min(found, MAX_EVENT_TTL_MS)


def _ttl_ms(given: Json) -> int | str:
    """Milliseconds, or why they are none."""
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 12:
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given * 1000
    found = duration_ms(given) if isinstance(given, str) else ""
    if isinstance(found, int):
        return found
    return "must be a number of seconds or an ISO 8601 duration such as PT1M30S"
