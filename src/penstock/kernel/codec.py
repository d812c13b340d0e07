"""State, messages and journal entries as bytes, and back. Codec version 1.

The first byte is the version. The rest is MessagePack of the structs; a `Value` is its JSON text (bin) when small
and a reference (extension type 1: its digest) when large. Released versions have golden files that never change.
"""

import threading
from typing import Final, Generic, TypeVar, cast

import msgspec

from penstock import __version__
from penstock.errors import InfrastructureError
from penstock.kernel.facts import Fact
from penstock.kernel.messages import Message
from penstock.kernel.needs import Answer
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.model.json_value import Json

VERSION: Final = b"\x01"
FINGERPRINT: Final = f"penstock-{__version__}/codec-1"
"""What a replay must have in common with the run it replays to give the same bytes."""

_REFERENCE: Final = 1

T = TypeVar("T")


class JournalEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a journal row holds: with the workflow and the state before, it rebuilds the state after."""

    message: Message
    answers: tuple[Answer, ...]
    facts: tuple[Fact, ...]


class _Codec(Generic[T]):
    """Encodes and decodes one type. Decoding is serialised, because the hook collects references on the way."""

    def __init__(self, type_: object) -> None:
        self._lock = threading.Lock()
        self._large: dict[bytes, bytes] = {}
        self._references: list[Value] = []
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._encode_value)
        self._decoder = msgspec.msgpack.Decoder(cast("type[T]", type_), dec_hook=self._decode_value)

    def encode(self, item: T) -> tuple[bytes, dict[bytes, bytes]]:
        """The bytes, and the large values they refer to: digest → JSON text."""
        with self._lock:
            self._large = {}
            data = VERSION + self._encoder.encode(item)
            return data, self._large

    def decode(self, data: bytes) -> tuple[T, list[Value]]:
        """The item, and the values whose bytes must still be supplied with `Value.load`."""
        if data[:1] != VERSION:
            raise InfrastructureError(f"stored by codec version {data[0] if data else 'none'}; this Penstock reads 1")
        with self._lock:
            self._references = []
            return self._decoder.decode(memoryview(data)[1:]), self._references

    def _encode_value(self, item: Json) -> Json:
        if not isinstance(item, Value):
            raise NotImplementedError(f"no encoding for {type(item).__name__}")
        if (json := item.inline) is not None:
            return json
        if item.is_loaded:
            self._large[item.digest] = item.json
        return msgspec.msgpack.Ext(_REFERENCE, item.digest)

    def _decode_value(self, type_: type, item: Json) -> Json:
        if isinstance(item, msgspec.msgpack.Ext):
            value = Value(digest=bytes(item.data))
            self._references.append(value)
            return value
        return Value(json=bytes(item))


_states: _Codec[RunState] = _Codec(RunState)
_messages: _Codec[Message] = _Codec(Message)
_entries: _Codec[JournalEntry] = _Codec(JournalEntry)

encode_state = _states.encode
decode_state = _states.decode
encode_message = _messages.encode
decode_message = _messages.decode
encode_entry = _entries.encode
decode_entry = _entries.decode
