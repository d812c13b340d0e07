"""A state of a run as people look at it: plain JSON, with instants as RFC 3339."""

from typing import Final, cast

import msgspec

from penstock.kernel.instants import rfc3339
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.model.json_value import Json

_VALUE: Final = "\0value"


def state_json(state: RunState) -> dict[str, Json]:
    """The members of a state, defaults left out. Inside values of the run nothing is changed, whatever its name."""
    values: list[Json] = []

    def set_aside(value: Value) -> dict[str, int]:
        values.append(value.data)
        return {_VALUE: len(values) - 1}

    return _shown(msgspec.to_builtins(state, enc_hook=set_aside, str_keys=True), values)


def _shown(item: Json, values: list[Json]) -> Json:
    match item:
        case dict():
            members = cast("dict[str, Json]", item)
            if _VALUE in members:
                return values[members[_VALUE]]
            return {name: _member(name, one, values) for name, one in members.items()}
        case list() | tuple():
            return [_shown(one, values) for one in cast("list[Json]", item)]
        case _:
            return item


def _member(name: str, item: Json, values: list[Json]) -> Json:
    if name.endswith("_at") and isinstance(item, int):
        return rfc3339(item) if item else None
    return _shown(item, values)
