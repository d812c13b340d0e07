"""The matchers of the machinery cases: `$type`, `$minLength`, `$format`, `$has`; all else is exact.

They differ from the DSL cases' matchers: several may stand in one object, and each must hold.
"""

import re
from collections.abc import Callable
from datetime import datetime

from penstock.model.json_value import Json

_JSON_TYPES: dict[str, Callable[[Json], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: type(value) is bool,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def body_differences(expected: Json, actual: Json, *, further_members: bool, at: str = "body") -> list[str]:
    """Every difference; `further_members` lets the outermost object hold more than is listed."""
    if isinstance(expected, dict) and any(key.startswith("$") for key in expected):
        return [p for key, wanted in expected.items() for p in _matcher(key, wanted, actual, at)]
    if isinstance(expected, dict):
        return _object(expected, actual, further_members, at)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [f"{at}: expected {expected!r}, actual {actual!r}"]
        return [
            p
            for i, (wanted, found) in enumerate(zip(expected, actual, strict=True))
            for p in body_differences(wanted, found, further_members=False, at=f"{at}[{i}]")
        ]
    if expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return []
    return [f"{at}: expected {expected!r}, actual {actual!r}"]


def _object(expected: dict[str, Json], actual: Json, further_members: bool, at: str) -> list[str]:
    if not isinstance(actual, dict):
        return [f"{at}: expected an object, actual {actual!r}"]
    found = (
        []
        if further_members
        else [f"{at}.{key}: unexpected, actual {value!r}" for key, value in actual.items() if key not in expected]
    )
    for key, wanted in expected.items():
        if key not in actual:
            found.append(f"{at}.{key}: expected {wanted!r}, actual: missing in {actual!r}")
        else:
            found += body_differences(wanted, actual[key], further_members=False, at=f"{at}.{key}")
    return found


def _matcher(key: str, wanted: Json, actual: Json, at: str) -> list[str]:
    match key:
        case "$type":
            fits = _JSON_TYPES[wanted](actual)
        case "$minLength":
            fits = isinstance(actual, str) and len(actual) >= wanted
        case "$format":
            fits = _has_format(wanted, actual)
        case "$has":
            return _object(wanted, actual, True, at)
        case _:
            raise ValueError(f"unknown matcher {key}")
    return [] if fits else [f"{at}: expected {key} {wanted!r}, actual {actual!r}"]


def _has_format(name: str, actual: Json) -> bool:
    if name != "date-time":
        raise ValueError(f"unknown $format {name}")
    if not isinstance(actual, str) or not _DATE_TIME.fullmatch(actual):
        return False
    try:
        datetime.fromisoformat(actual.upper())
    except ValueError:
        return False
    return True
