"""JSON values of a run: encoded once, decoded once, and referred to by content hash when they are large.

A `Value` is immutable: whoever reads `.data` must not change it. The codec writes a small value inline and a
large one (over `INLINE_VALUE_BYTES`) as a reference; the store keeps the bytes of a reference once per run.
"""

from hashlib import blake2b
from typing import Final

import msgspec

from penstock.model.json_value import Json
from penstock.model.limits import INLINE_VALUE_BYTES

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_UNSET: Final = object()


class Value:
    """One JSON value. Equal when the JSON bytes are equal."""

    __slots__ = ("_data", "_digest", "_json")

    def __init__(self, data: Json = _UNSET, *, json: bytes | None = None, digest: bytes | None = None) -> None:
        self._data: Json = data
        self._json = json
        self._digest = digest

    @property
    def data(self) -> Json:
        """The plain value; never change what it holds."""
        if self._data is _UNSET:
            self._data = _decode(self.json)
        return self._data

    @property
    def json(self) -> bytes:
        """The value as compact JSON."""
        if self._json is None:
            if self._data is _UNSET:
                raise LookupError(f"the value {self.digest.hex()} was not loaded")
            self._json = _encode(self._data)
        return self._json

    @property
    def size(self) -> int:
        """Bytes of the JSON text."""
        return len(self.json)

    @property
    def digest(self) -> bytes:
        """Content hash of the JSON text: 20 bytes of BLAKE2b."""
        if self._digest is None:
            self._digest = blake2b(self.json, digest_size=20).digest()
        return self._digest

    @property
    def inline(self) -> bytes | None:
        """The JSON text if it is small; None for what is stored apart from the state that holds it."""
        json = self._json
        if json is None:
            if self._data is _UNSET:
                return None
            json = self.json
        return json if len(json) <= INLINE_VALUE_BYTES else None

    @property
    def is_loaded(self) -> bool:
        """False only for a reference whose bytes have not been supplied yet."""
        return self._json is not None or self._data is not _UNSET

    def load(self, json: bytes) -> None:
        """Supplies the bytes of a reference, as the store kept them."""
        self._json = json

    def copy(self) -> Json:
        """The plain value for somebody who may change it."""
        return _decode(self.json)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and (self is other or self.json == other.json)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Value({self.data!r})" if self.is_loaded else f"Value(digest={self.digest.hex()})"


NULL: Final = Value(None)
EMPTY_OBJECT: Final = Value({})
