"""jq's indexing and slicing of values."""

import math

from penstock.expressions.errors import ExpressionError
from penstock.expressions.ordering import sort_key
from penstock.expressions.text import describe, kind
from penstock.model.json_value import Json


def index(value: Json, key: Json) -> Json:
    """`value[key]`: null where nothing is, an error where the kinds do not fit."""
    value_type, key_type = type(value), type(key)
    if value_type is dict and key_type is str:
        return value.get(key)
    if value is None and key_type in (str, int, float, dict):
        return None
    if value_type is list:
        if key_type is int or key_type is float:
            return _element(value, key)
        if key_type is list:
            return _occurrences(value, key)
    if key_type is dict and value_type in (list, str):
        return _slice_by_object(value, key)
    raise ExpressionError(f"cannot index {kind(value)} with {describe(key)}")


def _element(items: list[Json], key: int | float) -> Json:
    """Fractions are cut downwards; negative positions count from the end; null outside."""
    place = math.floor(key)
    return items[place] if -len(items) <= place < len(items) else None


def _occurrences(items: list[Json], wanted: list[Json]) -> Json:
    """Where `wanted` begins in `items` (Knuth-Morris-Pratt, so that it stays linear); null for an empty one."""
    if not wanted:
        return None
    keys, pattern = list(map(sort_key, items)), list(map(sort_key, wanted))
    borders = _borders(pattern)
    found: list[Json] = []
    matched = 0
    for place, key in enumerate(keys):
        while matched and (matched == len(pattern) or key != pattern[matched]):
            matched = borders[matched - 1]
        if key == pattern[matched]:
            matched += 1
        if matched == len(pattern):
            found.append(place - matched + 1)
    return found


def _borders(pattern: list[tuple[Json, ...]]) -> list[int]:
    borders = [0] * len(pattern)
    length = 0
    for place in range(1, len(pattern)):
        while length and pattern[place] != pattern[length]:
            length = borders[length - 1]
        if pattern[place] == pattern[length]:
            length += 1
        borders[place] = length
    return borders


def _slice_by_object(value: Json, key: dict[str, Json]) -> Json:
    if "start" not in key or "end" not in key:
        raise ExpressionError("slice indices must be integers")
    return cut(value, key["start"], key["end"])


def cut(value: Json, start: Json, end: Json) -> Json:
    """`value[start:end]` of a string (by characters), an array or null; null bounds are open."""
    if value is None:
        return None
    if type(value) not in (str, list):
        raise ExpressionError(f"cannot index {kind(value)} with object")
    first, last = _bound(start, math.floor, 0), _bound(end, math.ceil, len(value))
    return value[first:last]


def _bound(bound: Json, rounded: "type[int] | object", default: int) -> int:
    if bound is None:
        return default
    if type(bound) not in (int, float):
        raise ExpressionError("slice indices must be integers")
    return math.floor(bound) if rounded is math.floor else math.ceil(bound)
