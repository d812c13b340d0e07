"""jq's total order and equality of JSON values: null < false < true < numbers < strings < arrays < objects.

Python's own operators do not serve: there `True == 1`, and values of different types have no order.
"""

from typing import Final, cast

from penstock.expressions.kinds import type_of
from penstock.model.json_value import Json

_RANKS: Final[dict[type[Json], int]] = {type(None): 0, bool: 1, int: 2, float: 2, str: 3, list: 4, dict: 5}


def equal(left: Json, right: Json) -> bool:
    """jq's `==`: numbers by value, `true` never equals 1."""
    left_type, right_type = type_of(left), type_of(right)
    if left_type is not right_type:
        return _RANKS[left_type] == 2 == _RANKS[right_type] and left == right
    if left_type is list:
        return len(left) == len(right) and all(map(equal, left, right))
    if left_type is dict:
        return len(left) == len(right) and all(key in right and equal(value, right[key]) for key, value in left.items())
    return left == right


def less(left: Json, right: Json) -> bool:
    """jq's `<`."""
    left_type, right_type = type_of(left), type_of(right)
    if left_type is right_type and left_type in (int, float, str):
        return left < right
    return sort_key(left) < sort_key(right)


def sort_key(value: Json) -> tuple[Json, ...]:
    """A tuple that orders, and equals, as `value` does in jq. Hashable."""
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int() | float():
            return (2, value)
        case str():
            return (3, value)
        case list():
            return (4, tuple(map(sort_key, cast("list[Json]", value))))
        case _:
            members = cast("dict[str, Json]", value)
            keys = tuple(sorted(members))
            return (5, keys, tuple(sort_key(members[key]) for key in keys))
