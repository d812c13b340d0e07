"""Puts a value at a JSON Pointer inside data that this module may change."""

from typing import cast

from penstock.errors import CONFIGURATION, Fault
from penstock.model.json_value import Json
from penstock.model.pointers import tokens


def place(data: Json, pointer: str, value: Json) -> Fault | None:
    """Replaces what stands at `pointer` (not the whole) in place; a fault when there is no such place."""
    *path, last = tokens(pointer)
    target: Json = data
    try:
        for token in path:
            target = cast("Json", target[int(token)] if isinstance(target, list) else target[token])
        if isinstance(target, list):
            cast("list[Json]", target)[int(last)] = value
        else:
            target[last] = value
    except (LookupError, TypeError, ValueError):
        return Fault(CONFIGURATION, 400, "Configuration error", f"there is no place {pointer} to fill in")
    return None
