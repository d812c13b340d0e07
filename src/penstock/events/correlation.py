"""The key by which an event finds the listeners that wait for its values. Pure."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, cast

import msgspec

from penstock.model.json_value import MAX_INTEGER, MIN_INTEGER, Json
from penstock.model.limits import MAX_CORRELATION_KEY

_encode: Final = msgspec.json.Encoder(order="sorted").encode


def correlation_key(values: Mapping[str, Json]) -> str:
    """One text for one set of named values: equal exactly when names and JSON values are equal.

    Short ones are readable (canonical JSON, names sorted, `1.0` as `1`); beyond `MAX_CORRELATION_KEY` bytes
    they are "#" and a hash. "" for no values.
    """
    if not values:
        return ""
    text = _encode({name: _canonical(value) for name, value in values.items()})
    if len(text) > MAX_CORRELATION_KEY:
        return "#" + blake2b(text, digest_size=32).hexdigest()
    return text.decode()


def _canonical(value: Json) -> Json:
    """The value with whole floats as integers, so that equal numbers have one text."""
    match value:
        case float() if value.is_integer() and MIN_INTEGER <= value <= MAX_INTEGER:
            return int(value)
        case list():
            return [_canonical(item) for item in cast("list[Json]", value)]
        case dict():
            return {name: _canonical(item) for name, item in cast("dict[str, Json]", value).items()}
        case _:
            return value
