"""How jq writes values as text: `tostring`, `tojson`, string interpolation; and how it reads numbers.

A number carries its value, not its spelling: a float is written in the shortest form that reads back equal.
"""

import json
import re
from typing import Final

from penstock.expressions.errors import ExpressionError
from penstock.expressions.kinds import kind
from penstock.expressions.numbers import finite
from penstock.model.json_value import MAX_INTEGER, MIN_INTEGER, Json

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_SHOWN_CHARS: Final = 40


def to_json(value: Json) -> str:
    """jq's `tojson`: compact, keys in their order, only what JSON demands (and DEL) escaped."""
    text = _ENCODE(value)
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text


def to_text(value: Json) -> str:
    """jq's `tostring`: strings as they are, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value)


def to_number(value: Json) -> Json:
    """jq's `tonumber`."""
    match value:
        case bool():
            pass
        case int() | float():
            return value
        case str() if _NUMBER.fullmatch(value):
            return _read_number(value)
        case _:
            pass
    raise ExpressionError(f"{describe(value)} cannot be parsed as a number")


def _read_number(text: str) -> Json:
    if text.lstrip("+-").isdecimal() and len(text) < 24:
        number = int(text)
        if MIN_INTEGER <= number <= MAX_INTEGER:
            return number
    return finite(float(text))


def describe(value: Json) -> str:
    """A value in an error message: its kind, and as much of it as fits."""
    if isinstance(value, (list, dict)):
        return kind(value)
    text = to_json(value)
    return f"{kind(value)} ({text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + '…'})"
