"""The functions of the native subset: exactly libjq's results, in linear time (sorting: n log n).

`FUNCTIONS` take their arguments evaluated; `SPECIAL_FUNCTIONS` are compiled by the compiler, because they
evaluate an argument zero or more times. Whatever is in neither goes to a worker.
"""

import math
from collections.abc import Callable
from typing import Final, TypeAlias, cast

from penstock.expressions.errors import ExpressionError
from penstock.expressions.kinds import is_number, kind
from penstock.expressions.numbers import whole
from penstock.expressions.operators import add, split
from penstock.expressions.ordering import sort_key
from penstock.expressions.paths import index
from penstock.expressions.text import describe, to_json, to_number, to_text
from penstock.model import limits
from penstock.model.json_value import Json

Function: TypeAlias = Callable[..., Json]

_UPPER: Final = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def truthy(value: Json) -> bool:
    """Everything but `false` and `null`."""
    return value is not None and value is not False


def _length(value: Json) -> Json:
    match value:
        case None:
            return 0
        case bool():
            raise ExpressionError(f"{describe(value)} has no length")
        case int() | float():
            return abs(value)
        case _:
            return len(value)


def _keys(value: Json) -> Json:
    if isinstance(value, dict):
        return sorted(cast("dict[str, Json]", value))
    if isinstance(value, list):
        return list(range(len(cast("list[Json]", value))))
    raise ExpressionError(f"{describe(value)} has no keys")


def _has(value: Json, key: Json) -> Json:
    if value is None:
        return False
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and is_number(key):
        return 0 <= int(key) < len(cast("list[Json]", value))
    raise ExpressionError(f"cannot check whether {kind(value)} has a {kind(key)} key")


def _not(value: Json) -> Json:
    return not truthy(value)


def _string(value: Json, name: str) -> str:
    if not isinstance(value, str):
        raise ExpressionError(f"{name}: {describe(value)} is not a string")
    return value


def _upper(value: Json) -> Json:
    return _string(value, "ascii_upcase").translate(_UPPER)


def _lower(value: Json) -> Json:
    return _string(value, "ascii_downcase").translate(_LOWER)


def _starts(value: Json, prefix: Json) -> Json:
    return _string(value, "startswith").startswith(_string(prefix, "startswith"))


def _ends(value: Json, suffix: Json) -> Json:
    return _string(value, "endswith").endswith(_string(suffix, "endswith"))


def _without_prefix(value: Json, prefix: Json) -> Json:
    return _string(value, "ltrimstr").removeprefix(_string(prefix, "ltrimstr"))


def _without_suffix(value: Json, suffix: Json) -> Json:
    return _string(value, "rtrimstr").removesuffix(_string(suffix, "rtrimstr"))


def _split(value: Json, separator: Json) -> Json:
    return split(_string(value, "split"), _string(separator, "split"))


def elements(value: Json) -> list[Json]:
    """What `.[]` yields, in order."""
    if isinstance(value, list):
        return cast("list[Json]", value)
    if isinstance(value, dict):
        return list(cast("dict[str, Json]", value).values())
    raise ExpressionError(f"cannot iterate over {describe(value)}")


def _join(value: Json, separator: Json) -> Json:
    items = elements(value)
    if any(isinstance(item, (list, dict)) for item in items) or (
        len(items) > 1 and separator is not None and not isinstance(separator, str)
    ):
        raise ExpressionError("join: only strings, numbers, booleans and null can be joined, by a string")
    glue = separator if isinstance(separator, str) else ""
    if len(glue) * len(items) > limits.MAX_VALUE_BYTES:
        raise ExpressionError(f"the joined string is longer than {limits.MAX_VALUE_BYTES} bytes")
    return glue.join("" if item is None else to_text(item) for item in items)


def _add(value: Json) -> Json:
    items = [item for item in elements(value) if item is not None]
    kinds = set(map(type, items))
    if kinds == {str}:
        return "".join(items)
    if kinds == {list}:
        return [item for part in items for item in part]
    if kinds == {dict}:
        return {key: item for part in items for key, item in part.items()}
    total: Json = None
    for item in items:
        total = add(total, item)
    return total


def _any(value: Json) -> Json:
    return any(map(truthy, elements(value)))


def _all(value: Json) -> Json:
    return all(map(truthy, elements(value)))


def _array(value: Json, name: str) -> list[Json]:
    if not isinstance(value, list):
        raise ExpressionError(f"{name}: {describe(value)} is not an array")
    return cast("list[Json]", value)


def _minimum(value: Json) -> Json:
    return min(_array(value, "min"), key=sort_key, default=None)


def _maximum(value: Json) -> Json:
    """The last of equal ones, as libjq."""
    return max(reversed(_array(value, "max")), key=sort_key, default=None)


def _sort(value: Json) -> Json:
    return sorted(_array(value, "sort"), key=sort_key)


def _unique(value: Json) -> Json:
    result: list[Json] = []
    last: tuple[Json, ...] = ()
    for item in sorted(_array(value, "unique"), key=sort_key):
        key = sort_key(item)
        if key != last:
            result.append(item)
            last = key
    return result


def _reverse(value: Json) -> Json:
    if isinstance(value, list):
        return cast("list[Json]", value)[::-1]
    if value is not False and value in (None, "", 0, {}):
        return []  # whatever has the length 0
    raise ExpressionError(f"{describe(value)} cannot be reversed")


def _first(value: Json) -> Json:
    return index(value, 0)


def _last(value: Json) -> Json:
    return index(value, -1)


def _number(value: Json, name: str) -> int | float:
    if not is_number(value):
        raise ExpressionError(f"{name}: {describe(value)} is not a number")
    return value


def _floor(value: Json) -> Json:
    return whole(math.floor(number)) if isinstance(number := _number(value, "floor"), float) else number


def _ceil(value: Json) -> Json:
    return whole(math.ceil(number)) if isinstance(number := _number(value, "ceil"), float) else number


def _to_entries(value: Json) -> Json:
    if isinstance(value, dict):
        return [{"key": key, "value": item} for key, item in cast("dict[str, Json]", value).items()]
    return [{"key": place, "value": item} for place, item in enumerate(_array(value, "to_entries"))]


FUNCTIONS: Final[dict[tuple[str, int], Function]] = {
    ("length", 0): _length,
    ("keys", 0): _keys,
    ("has", 1): _has,
    ("not", 0): _not,
    ("type", 0): kind,
    ("tostring", 0): to_text,
    ("tojson", 0): to_json,
    ("tonumber", 0): to_number,
    ("ascii_upcase", 0): _upper,
    ("ascii_downcase", 0): _lower,
    ("startswith", 1): _starts,
    ("endswith", 1): _ends,
    ("ltrimstr", 1): _without_prefix,
    ("rtrimstr", 1): _without_suffix,
    ("split", 1): _split,
    ("join", 1): _join,
    ("add", 0): _add,
    ("any", 0): _any,
    ("all", 0): _all,
    ("min", 0): _minimum,
    ("max", 0): _maximum,
    ("sort", 0): _sort,
    ("unique", 0): _unique,
    ("reverse", 0): _reverse,
    ("first", 0): _first,
    ("last", 0): _last,
    ("floor", 0): _floor,
    ("ceil", 0): _ceil,
    ("to_entries", 0): _to_entries,
}
"""By name and number of arguments: called with the input and the arguments' values."""

SPECIAL_FUNCTIONS: Final = frozenset((("select", 1), ("map", 1), ("empty", 0), ("error", 1), ("now", 0)))
"""`map` only over bodies without variables and calls that iterate, see `growth`."""

CHEAP_FUNCTIONS: Final = frozenset(
    ("length", "not", "type", "select", "has", "tonumber", "floor", "ceil", "empty"),
)
"""What the body of a `map` may call: constant time, and never larger than the element."""
