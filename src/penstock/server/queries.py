"""Reading query and path parameters; a value that cannot be is refused naming the parameter."""

import base64
import binascii
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from penstock.errors import NotFound
from penstock.model.json_value import Json
from penstock.model.limits import (
    DEFAULT_PAGE_ITEMS,
    MAX_HTTP_WAIT_MS,
    MAX_LABELS,
    MAX_NAME_CHARACTERS,
    MAX_PAGE_ITEMS,
)
from penstock.server.refusals import BadParameter
from penstock.server.replies import page

_DNS_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_VERSION: Final = re.compile(r"latest|\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]*)?", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TEXT_CHARACTERS: Final = 2048
_FOREIGN_CURSOR: Final = "is none that this list gave out"
MAX_POSITION: Final = 2**53
"""The highest sequence number that every JSON client can hold."""

Position = TypeVar("Position")


def text(request: web.Request, name: str) -> str | None:
    """A query parameter as it stands; None when absent or empty."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise BadParameter(name, "is given more than once")
    value = values[0] if values else ""
    if "\x00" in value or len(value) > _TEXT_CHARACTERS:
        raise BadParameter(name, f"must be at most {_TEXT_CHARACTERS} characters without NUL")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise BadParameter(name, "is not UTF-8")
    return value or None


def one_of(request: web.Request, name: str, known: Collection[str]) -> str | None:
    """A query parameter out of a closed list."""
    value = text(request, name)
    if value is not None and value not in known:
        raise BadParameter(name, f"{value[:100]!r} is none of {', '.join(sorted(known))}")
    return value


def integer(request: web.Request, name: str, *, least: int, most: int, default: int) -> int:
    """A whole number between `least` and `most`."""
    value = text(request, name)
    if value is None:
        return default
    if not re.fullmatch(r"-?\d{1,19}", value, re.ASCII) or not least <= int(value) <= most:
        raise BadParameter(name, f"must be a whole number from {least} to {most}")
    return int(value)


def flag(request: web.Request, name: str) -> bool:
    """`true`, `false`, or absent for false; the bare name counts as true."""
    if name in request.query and request.query.getall(name) == [""]:
        return True
    return one_of(request, name, {"true", "false", "1", "0"}) in {"true", "1"}


def limit(request: web.Request) -> int:
    """How many items a page may have."""
    return integer(request, "limit", least=1, most=MAX_PAGE_ITEMS, default=DEFAULT_PAGE_ITEMS)


def wait_ms(request: web.Request) -> int | None:
    """`wait=SECONDS` in milliseconds, cut to the longest that a request may wait; None when absent."""
    value = text(request, "wait")
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value, re.ASCII):
        raise BadParameter("wait", "must be a number of seconds, 0 or more")
    return min(int(float(value) * 1000), MAX_HTTP_WAIT_MS)


def instant_ms(request: web.Request, name: str) -> int | None:
    """An RFC 3339 instant as milliseconds UTC."""
    value = text(request, name)
    if value is None:
        return None
    # In a query an unescaped "+" means a blank; a time zone never begins with one.
    value = re.sub(r" (\d\d:\d\d)$", r"+\1", value)
    try:
        if not _INSTANT.fullmatch(value):
            raise ValueError(value)
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParameter(name, "must be an RFC 3339 time with a zone, like 2026-01-31T12:00:00Z") from None
    return int(moment.timestamp() * 1000)


def labels(request: web.Request) -> dict[str, str]:
    """`label=key:value`, repeatable."""
    found: dict[str, str] = {}
    for label in request.query.getall("label", []):
        key, colon, value = label.partition(":")
        if not colon or not key or "\x00" in label or max(len(key), len(value)) > MAX_NAME_CHARACTERS:
            raise BadParameter("label", f"must be key:value, each at most {MAX_NAME_CHARACTERS} characters")
        found[key] = value
    if len(found) > MAX_LABELS:
        raise BadParameter("label", f"may be given at most {MAX_LABELS} times")
    return found


def write_cursor(position: Json) -> str:
    """An opaque cursor for where a list goes on."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def read_cursor(request: web.Request, shape: type[Position]) -> Position | None:
    """The position that a cursor of the same list holds; None on the first page."""
    value = text(request, "cursor")
    if value is None:
        return None
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(decoded, type=shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise BadParameter("cursor", _FOREIGN_CURSOR) from None


def read_position(request: web.Request) -> int | None:
    """The position that a cursor holds, for lists whose places are numbered."""
    position = read_cursor(request, int)
    if position is not None and not 0 <= position <= MAX_POSITION:
        raise BadParameter("cursor", _FOREIGN_CURSOR)
    return position


def last_event(request: web.Request) -> int | None:
    """The position after which a stream shall go on (`Last-Event-ID`); None when the reader names none."""
    value = request.headers.get("Last-Event-ID", "").strip()
    if not value:
        return None
    if not re.fullmatch(r"\d{1,16}", value, re.ASCII) or int(value) > MAX_POSITION:
        raise BadParameter("Last-Event-ID", "is none that this stream gave out")
    return int(value)


def idempotency_key(request: web.Request) -> str | None:
    """The `Idempotency-Key` header; a quoted string (RFC 8941) counts without its quotes."""
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    value = value.strip()
    key = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if not key or len(key) > MAX_NAME_CHARACTERS or not key.isprintable():
        raise BadParameter("Idempotency-Key", f"must be 1 to {MAX_NAME_CHARACTERS} printable characters")
    return key


def run_id(request: web.Request) -> str:
    """The run id in the path; 404 when it cannot be one."""
    value = request.match_info["id"].lower()
    if not _UUID.fullmatch(value):
        raise NotFound(f"there is no run {value[:100]!r}")
    return value


def query_run(request: web.Request) -> str | None:
    """`run=`, the id of a run; None when absent."""
    value = text(request, "run")
    if value is not None and not _UUID.fullmatch(value.lower()):
        raise BadParameter("run", "must be the id of a run")
    return None if value is None else value.lower()


def workflow_name(request: web.Request) -> tuple[str, str]:
    """Namespace and name in the path; 404 when no workflow can have them."""
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    if not _DNS_LABEL.fullmatch(namespace) or not _DNS_LABEL.fullmatch(name):
        raise NotFound(f"there is no workflow {namespace[:100]!r}/{name[:100]!r}")
    return namespace, name


def path_version(request: web.Request) -> str:
    """The version in the path; 404 when no workflow can have it."""
    value = request.match_info["version"]
    if not _VERSION.fullmatch(value) or len(value) > MAX_NAME_CHARACTERS:
        raise NotFound(f"there is no version {value[:100]!r}")
    return value


def query_version(request: web.Request) -> str:
    """`version=`, or the latest."""
    value = text(request, "version") or "latest"
    if not _VERSION.fullmatch(value):
        raise BadParameter("version", "must be a semantic version or latest")
    return value


def is_name(value: str) -> bool:
    """Whether a tool or a secret can be called so."""
    return len(value) <= MAX_NAME_CHARACTERS and _NAME.fullmatch(value) is not None


def existing_name(request: web.Request, kind: str) -> str:
    """The name in the path of something that must exist; 404 when nothing can be called so."""
    value = request.match_info["name"]
    if not is_name(value):
        raise NotFound(f"there is no {kind} {value[:100]!r}")
    return value


def new_name(request: web.Request, kind: str) -> str:
    """The name in the path of something that may be made."""
    value = request.match_info["name"]
    if not is_name(value):
        raise BadParameter(
            "name", f"a {kind}'s name has letters, digits, '_', '-' and '.', at most {MAX_NAME_CHARACTERS}"
        )
    return value


def page_by_name(request: web.Request, items: list[dict[str, Json]]) -> web.Response:
    """The page that the request asks for of a short list whose items have a `name`."""
    most, after = limit(request), read_cursor(request, str) or ""
    found = sorted((item for item in items if item["name"] > after), key=lambda item: item["name"])
    return page(found[:most], write_cursor(found[most - 1]["name"]) if len(found) > most else None)
