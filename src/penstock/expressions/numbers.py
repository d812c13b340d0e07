"""Arithmetic on numbers: integers exact within 64 bits, doubles otherwise, as libjq where both are exact.

libjq computes in doubles, so beyond 2**53 the two tiers differ: here `2**53 + 1` is exact.
A result that is a whole number is an integer again, a result that is not finite is an error.
"""

import math
from typing import Final, TypeAlias

from penstock.expressions.errors import ExpressionError
from penstock.model.json_value import MAX_INTEGER, MIN_INTEGER

Number: TypeAlias = int | float

_EXACT_BELOW: Final = 1e17
_INT64_MAX: Final = 2**63 - 1


def whole(result: int) -> Number:
    """An integer result, a double when it has more than 64 bits."""
    return result if MIN_INTEGER <= result <= MAX_INTEGER else float(result)


def finite(result: float) -> Number:
    """A double result: an integer when it is whole. Raises `ExpressionError` when it is not finite."""
    if not math.isfinite(result):
        raise ExpressionError("the result is not a finite number")
    return int(result) if result.is_integer() and abs(result) < _EXACT_BELOW else result


def settle(result: Number) -> Number:
    """A result of Python's `+ - *` on two numbers."""
    return whole(result) if isinstance(result, int) else finite(result)


def divide(left: Number, right: Number) -> Number:
    """jq's `/`; an exact quotient of integers stays exact."""
    if right == 0:
        raise ExpressionError(f"{left} cannot be divided by zero")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return whole(left // right)
    return finite(left / right)


def remainder(left: Number, right: Number) -> Number:
    """jq's `%`: both sides cut to integers, the sign is that of the left side."""
    dividend, divisor = _cut(left), abs(_cut(right))
    if divisor == 0:
        raise ExpressionError(f"{left} cannot be divided (remainder) by zero")
    result = abs(dividend) % divisor
    return -result if dividend < 0 else result


def _cut(number: Number) -> int:
    """Toward zero, clamped to what libjq's integer holds (a larger integer of ours stays exact)."""
    if isinstance(number, int):
        return number
    return max(-_INT64_MAX - 1, min(_INT64_MAX, int(number)))
