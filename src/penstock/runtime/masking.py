"""Replaces secrets in texts that people will read: logs and the details of tools' faults."""

import base64
from collections.abc import Iterable, Iterator
from typing import Final, cast
from urllib.parse import quote, quote_plus

import msgspec

from penstock.model.json_value import Json
from penstock.model.limits import MIN_MASKED_CHARACTERS

MASK: Final = "***"


class Mask:
    """Replaces every text of at least `MIN_MASKED_CHARACTERS` characters inside the given secrets.

    Also as it stands in base64, in a URI and inside a JSON text.
    """

    def __init__(self, secrets: Iterable[Json]) -> None:
        plain = {text for secret in secrets for text in texts(secret) if len(text) >= MIN_MASKED_CHARACTERS}
        encoded = {form for text in plain for form in _encodings(text)}
        self._hidden = tuple(sorted(plain | encoded, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for hidden in self._hidden:
            if hidden in text:
                text = text.replace(hidden, MASK)
        return text


def texts(value: Json) -> Iterator[str]:
    """Every string inside a JSON value (not the keys), and its numbers as text; without recursion."""
    pending: list[Json] = [value]
    while pending:
        match pending.pop():
            case str() as text:
                yield text
            case dict() as members:  # pyright: ignore[reportUnknownVariableType]
                pending.extend(cast("dict[str, Json]", members).values())
            case list() as items:  # pyright: ignore[reportUnknownVariableType]
                pending.extend(cast("list[Json]", items))
            case bool() | None:
                pass
            case number:
                yield str(number)


def _encodings(text: str) -> Iterator[str]:
    data = text.encode("utf-8", "surrogatepass")
    yield base64.b64encode(data).decode()
    yield base64.urlsafe_b64encode(data).decode()
    yield from (quote(data), quote(data, safe=""), quote(data, safe="@:!$&'()*+,;="), quote_plus(data))
    yield msgspec.json.encode(data.decode("utf-8", "replace")).decode()[1:-1]
