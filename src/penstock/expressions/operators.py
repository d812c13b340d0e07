"""jq's `+ - * / %` and negation over JSON values. Nothing is changed in place; all take linear time."""

from collections.abc import Callable
from typing import Final, TypeAlias

from penstock.expressions.errors import ExpressionError
from penstock.expressions.kinds import is_number, type_of
from penstock.expressions.numbers import Number, divide, remainder, settle, whole
from penstock.expressions.ordering import sort_key
from penstock.expressions.text import describe
from penstock.model import limits
from penstock.model.json_value import Json

Operator: TypeAlias = Callable[[Json, Json], Json]


def add(left: Json, right: Json) -> Json:
    """Sum of numbers; strings and arrays joined; objects merged, the right one wins; null is neutral."""
    left_type, right_type = type_of(left), type_of(right)
    if left_type is int and right_type is int:
        return whole(left + right)
    if left is None:
        return right
    if right is None:
        return left
    if left_type is right_type and left_type in (str, list):
        return left + right
    if left_type is dict and right_type is dict:
        return {**left, **right}
    if is_number(left) and is_number(right):
        return settle(left + right)
    raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be added")


def subtract(left: Json, right: Json) -> Json:
    """Difference of numbers; an array without the elements that the right one has."""
    if is_number(left) and is_number(right):
        return settle(left - right)
    if type_of(left) is list and type_of(right) is list:
        unwanted = set(map(sort_key, right))
        return [item for item in left if sort_key(item) not in unwanted]
    raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be subtracted")


def multiply(left: Json, right: Json) -> Json:
    """Product of numbers; a string repeated; objects merged deeply."""
    if is_number(left) and is_number(right):
        return settle(left * right)
    if type_of(left) is str and is_number(right):
        return _repeat(left, right, limits.MAX_VALUE_BYTES)
    if type_of(right) is str and is_number(left):
        return _repeat(right, left, limits.MAX_VALUE_BYTES)
    if type_of(left) is dict and type_of(right) is dict:
        return _merge(left, right)
    raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be multiplied")


def multiply_in_map(left: Json, right: Json) -> Json:
    """`multiply` once per element: repeated strings stay small, or a short text could fill the memory."""
    for text, count in ((left, right), (right, left)):
        if type_of(text) is str and is_number(count):
            return _repeat(text, count, limits.MAX_REPEAT_IN_MAP_BYTES)
    return multiply(left, right)


def _repeat(text: str, count: Number, limit: int) -> Json:
    """Null for a negative count, as in libjq; the result is bounded."""
    if count < 0:
        return None
    if len(text) * count > limit:
        raise ExpressionError(f"the repeated string is longer than {limit} bytes")
    return text * int(count)


def _merge(left: dict[str, Json], right: dict[str, Json]) -> dict[str, Json]:
    result = dict(left)
    for key, value in right.items():
        present: Json = result.get(key, 0)
        if type_of(present) is dict and type_of(value) is dict:
            result[key] = _merge(present, value)
        else:
            result[key] = value
    return result


def divide_values(left: Json, right: Json) -> Json:
    """Quotient of numbers; a string split."""
    if is_number(left) and is_number(right):
        return divide(left, right)
    if type_of(left) is str and type_of(right) is str:
        return split(left, right)
    raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be divided")


def split(text: str, separator: str) -> list[Json]:
    """The pieces of `text`; single characters for an empty separator, nothing for an empty text."""
    if not text:
        return []
    return [*text.split(separator)] if separator else [*text]


def modulo(left: Json, right: Json) -> Json:
    """Remainder of numbers."""
    if is_number(left) and is_number(right):
        return remainder(left, right)
    raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be divided (remainder)")


def negate(value: Json) -> Json:
    """`-value` of a number; there is no negative zero."""
    if type_of(value) is int:
        return whole(-value)
    if type_of(value) is float:
        return -value if value else value
    raise ExpressionError(f"{describe(value)} cannot be negated")


IN_MAP: Final = "map "
"""Prefix of an operator inside the body of a `map`."""

ARITHMETIC: Final[dict[str, Operator]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    IN_MAP + "*": multiply_in_map,
    "/": divide_values,
    "%": modulo,
}
