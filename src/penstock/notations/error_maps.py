"""Field-level error maps: field → list of texts, list items and map entries nested by index or name.

The shape and the texts are the contract of the machinery surface (its conformance cases hold them).
"""

import re
from collections.abc import Callable, Collection
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map

ErrorMap: TypeAlias = dict[str, Json]

MISSING: Final = "Missing data for required field."
UNKNOWN: Final = "Unknown field."
NULL: Final = "Field may not be null."
NO_STRING: Final = "Not a valid string."
NO_LIST: Final = "Not a valid list."
NO_MAP: Final = "Not a valid mapping type."
NO_URL: Final = "Not a valid URL."
WRONG_INPUT: Final = "Invalid input type."
TOO_LONG: Final = "Longer than the maximum length."

_LONGEST_NAME: Final = 256
_LONGEST_ADDRESS: Final = 2048
_HOST: Final = re.compile(r"[A-Za-z0-9._~%:-]+")


def text(value: Json) -> str | None:
    """Why a value is no text; None when it is one."""
    if value is None:
        return NULL
    if not isinstance(value, str):
        return NO_STRING
    return TOO_LONG if len(value) > _LONGEST_ADDRESS else None


def name(value: Json) -> str | None:
    """Why a value is no name."""
    return text(value) or (TOO_LONG if len(value) > _LONGEST_NAME else None)


def address(value: Json) -> str | None:
    """Why a value is no address of a service: any `http(s)` host, with or without a dot."""
    wrong = text(value)
    if wrong is not None:
        return wrong
    try:
        parts = urlsplit(str(value))
        host, _ = parts.hostname, parts.port
    except ValueError:
        return NO_URL
    unfit = any(character.isspace() or not character.isprintable() for character in value)
    if unfit or parts.scheme not in ("http", "https") or not host or not _HOST.fullmatch(host):
        return NO_URL
    return None


class Members:
    """The members of an object, checked one by one; `errors` collects what was wrong."""

    def __init__(self, values: dict[str, Json], errors: ErrorMap) -> None:
        self.values = values
        self.errors = errors

    def required(self, key: str, check: Callable[[Json], str | None]) -> str:
        """The text under `key`; a stand-in when it is missing or wrong."""
        if key not in self.values:
            self.errors[key] = [MISSING]
            return ""
        return self.optional(key, check)

    def optional(self, key: str, check: Callable[[Json], str | None]) -> str:
        if key not in self.values:
            return ""
        wrong = check(self.values[key])
        if wrong is None:
            return self.values[key]
        self.errors[key] = [wrong]
        return ""

    def refuse_unknown(self, known: Collection[str]) -> None:
        for key in self.values:
            if key not in known:
                self.errors[key] = [UNKNOWN]


def as_list(value: Json) -> list[Json] | str:
    """The list, or why it is none."""
    return value if is_list(value) else NULL if value is None else NO_LIST


def as_map(value: Json) -> dict[str, Json] | str:
    """The object, or why it is none."""
    return value if is_map(value) else NULL if value is None else NO_MAP
