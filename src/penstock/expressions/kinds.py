"""Which of jq's six kinds a value is. By exact Python type, because `bool` is an `int` there."""

from collections.abc import Callable
from typing import Final

from penstock.model.json_value import Json

type_of: Final[Callable[[Json], type[Json]]] = type
"""The Python type of a JSON value: `NoneType bool int float str list dict`."""

_KINDS: Final[dict[type[Json], str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def kind(value: Json) -> str:
    """jq's `type`."""
    return _KINDS[type_of(value)]


def is_number(value: Json) -> bool:
    """Whether `value` is a number; `true` and `false` are not."""
    return type_of(value) is int or type_of(value) is float
