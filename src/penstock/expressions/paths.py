"""jq's indexing and slicing of values."""

import math

from penstock.expressions.errors import ExpressionError
from penstock.expressions.kinds import is_number, kind, type_of
from penstock.expressions.ordering import sort_key
from penstock.expressions.text import describe
from penstock.model.json_value import Json


def index(value: Json, key: Json) -> Json:
    """`value[key]`: null where nothing is, an error where the kinds do not fit."""
    value_type, key_type = type_of(value), type_of(key)
    if value_type is dict and key_type is str:
        return value.get(key)
    if value_type is type(None) and key_type in (str, int, float, dict):
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
    """Fractions are cut off; negative positions count from the end; null outside."""
    place = int(key)
    return items[place] if -len(items) <= place < len(items) else None


def _occurrences(items: list[Json], wanted: list[Json]) -> Json:
    """Where `wanted` begins in `items` (Knuth-Morris-Pratt, to stay linear); nowhere for an empty one."""
    if not wanted:
        return []
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
        raise ExpressionError("slice indices must be numbers")
    return cut(value, key["start"], key["end"])


def cut(value: Json, start: Json, end: Json) -> Json:
    """`value[start:end]` of a string (by characters), an array or null; null bounds are open."""
    if value is None:
        return None
    if type_of(value) not in (str, list):
        raise ExpressionError(f"cannot index {kind(value)} with object")
    for bound in (start, end):
        if not (bound is None or is_number(bound)):
            raise ExpressionError("slice indices must be numbers")
    first = None if start is None else math.floor(start)
    return value[first : None if end is None else math.ceil(end)]
