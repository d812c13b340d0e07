"""Checks that a value is plain JSON data within the limits, without recursion."""

import math
from typing import TypeGuard, cast

import msgspec

from penstock.model import pointers
from penstock.model.json_value import MAX_INTEGER, MIN_INTEGER, Json
from penstock.model.limits import MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_NODES


def is_map(value: Json) -> TypeGuard[dict[str, Json]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


class Problem(msgspec.Struct, frozen=True):
    """Why a value cannot be a document, and where."""

    pointer: str
    message: str
    code: str


def problem_of(value: Json) -> Problem | None:
    """The first reason why `value` is not a document's data; None when it is."""
    pending: list[tuple[Json, str, int]] = [(value, "", 1)]
    count = 0
    while pending:
        item, pointer, depth = pending.pop()
        count += 1
        if count > MAX_DOCUMENT_NODES:
            return Problem(pointer, f"more than {MAX_DOCUMENT_NODES} values", "too-large")
        if isinstance(item, dict | list | tuple):
            if depth > MAX_DOCUMENT_DEPTH:
                return Problem(pointer, f"nested deeper than {MAX_DOCUMENT_DEPTH} levels", "too-deep")
            problem = _push_members(item, pointer, depth, pending)
        else:
            problem = _scalar_problem(item, pointer)
        if problem is not None:
            return problem
    return None


def _push_members(item: Json, pointer: str, depth: int, pending: list[tuple[Json, str, int]]) -> Problem | None:
    if not isinstance(item, dict):
        pending.extend((member, pointers.join(pointer, index), depth + 1) for index, member in enumerate(item))
        return None
    for key, member in cast("dict[Json, Json]", item).items():
        if not isinstance(key, str):
            return Problem(pointer, f"the key {key!r} is not a string", "key")
        problem = _scalar_problem(key, pointer)
        if problem is not None:
            return problem
        pending.append((member, pointers.join(pointer, key), depth + 1))
    return None


def _scalar_problem(value: Json, pointer: str) -> Problem | None:
    message = scalar_message(value)
    return Problem(pointer, message, "value") if message else None


def scalar_message(value: Json) -> str:
    """Why a scalar is not allowed in a document; empty when it is."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if is_unicode(value) else "a text holds half of a surrogate pair, which is no character"
    if isinstance(value, int):
        return "" if MIN_INTEGER <= value <= MAX_INTEGER else "an integer does not fit in 64 bits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a number is infinite or not a number"
    return f"a value of type {type(value).__name__} is not JSON"


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
