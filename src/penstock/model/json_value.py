"""The alias for any JSON value: the one place where `Any` appears, and the check at the engine's edges.

A value is good when every part of the engine can carry it exactly: the codecs (msgspec, MessagePack), the
stores, libjq and the client. Integers go from -2**63 to 2**64 - 1 (what MessagePack and msgspec hold
exactly).
"""

import math
import re
from typing import Any, Final, TypeAlias, cast

from penstock.model.limits import MAX_JSON_DEPTH

Json: TypeAlias = Any

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def check_json(value: Json) -> str | None:
    """None when `value` is a JSON value that the engine can carry; else the reason, for people.

    Refused: integers beyond 64 bits, NaN and infinities, lone surrogates, keys that are not strings,
    nesting deeper than `limits.MAX_JSON_DEPTH`, and Python types that are not JSON. Never recurses.
    """
    level: list[Json] = [value]
    for depth in range(MAX_JSON_DEPTH + 1):
        below: list[Json] = []
        for item in level:
            if (reason := _check_one(item, below)) is not None:
                return reason
        if depth == MAX_JSON_DEPTH and any(isinstance(item, list | dict) for item in level):
            break
        if not below:
            return None
        level = below
    return f"is nested deeper than {MAX_JSON_DEPTH} levels"


def _check_one(item: Json, below: list[Json]) -> str | None:
    """Check one value without its children, which are appended to `below`."""
    if type(item) is str:  # most of what is checked; the match below is several times slower
        return None if item.isascii() else _check_text(item)
    match item:
        case dict():
            members = cast("dict[Json, Json]", item)
            below.extend(members.values())
            return _check_keys(members)
        case list():
            below.extend(cast("list[Json]", item))
            return None
        case None | bool():
            return None
        case int():
            return None if MIN_INTEGER <= item <= MAX_INTEGER else "holds an integer beyond 64 bits"
        case float():
            return None if math.isfinite(item) else "holds a number that is not finite"
        case str():
            return _check_text(item)
        case _:
            return f"holds a {type(item).__name__}, which is not JSON"


def _check_keys(members: dict[Json, Json]) -> str | None:
    for key in members:
        if not isinstance(key, str):
            return "holds an object whose key is not a string"
        if (reason := _check_text(key)) is not None:
            return reason
    return None


def _check_text(text: str) -> str | None:
    if text.isascii() or _SURROGATE.search(text) is None:
        return None
    return "holds a string with half of a surrogate pair"


def is_deeper(value: Json, levels: int) -> bool:
    """Whether a JSON value is nested deeper than `levels` (0 holds scalars only). Never recurses."""
    level: list[Json] = [value]
    for _ in range(levels + 1):
        containers = 0
        below: list[Json] = []
        for item in level:
            if isinstance(item, list):
                containers += 1
                below.extend(cast("list[Json]", item))
            elif isinstance(item, dict):
                containers += 1
                below.extend(cast("dict[str, Json]", item).values())
        if not containers:
            return False
        level = below
    return True


def encoded_depth(data: bytes) -> int:
    """The nesting of a JSON text (0 for a scalar), by its brackets only; `data` must be valid JSON."""
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    depth = deepest = 0
    for bracket in brackets:
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest
