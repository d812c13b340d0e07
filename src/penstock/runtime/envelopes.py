"""What the runtime wraps around the kernel's bytes before they are stored.

An inbox row must be readable without its sender's values, so a message travels with the large values it refers to.
A state is kept with the fingerprint of the code that made it.
"""

from collections.abc import Mapping

import msgspec

from penstock.kernel import codec
from penstock.kernel.messages import Message
from penstock.kernel.state import RunState
from penstock.kernel.values import Value

_encode = msgspec.msgpack.Encoder().encode


class _Inbox(msgspec.Struct, frozen=True, gc=False, array_like=True):
    body: bytes
    values: dict[bytes, bytes] = {}
    expires_at: int = 0


class _State(msgspec.Struct, frozen=True, gc=False, array_like=True):
    fingerprint: str
    body: bytes


class ListenerBody(msgspec.Struct, frozen=True, array_like=True):
    """What is checked of an event for one subscription, as JSON texts by name."""

    known: dict[str, bytes] = {}
    variables: dict[str, bytes] = {}


def pack_message(message: Message, expires_at: int = 0) -> bytes:
    """A message for an inbox; `expires_at` says how long an event may wait for a listener of the run."""
    body, values = codec.encode_message(message)
    return _encode(_Inbox(body, values, expires_at))


def unpack_message(data: bytes) -> tuple[Message, int]:
    """The message, all its values loaded, and its `expires_at`."""
    envelope = msgspec.msgpack.decode(data, type=_Inbox)
    message, missing = codec.decode_message(envelope.body)
    for value in missing:
        value.load(envelope.values[value.digest])
    return message, envelope.expires_at


def pack_state(state: RunState) -> tuple[bytes, dict[bytes, bytes]]:
    """The stored form of a state, and the large values that it refers to."""
    body, values = codec.encode_state(state)
    return _encode(_State(codec.FINGERPRINT, body)), values


def unpack_state(data: bytes) -> tuple[RunState, list[Value], str]:
    """The state, the values whose bytes must still be loaded, and the fingerprint of the code that made it."""
    envelope = msgspec.msgpack.decode(data, type=_State)
    state, missing = codec.decode_state(envelope.body)
    return state, missing, envelope.fingerprint


def pack_listener(known: Mapping[str, Value], variables: Mapping[str, Value]) -> bytes:
    """The body of a subscription."""
    return msgspec.msgpack.encode(
        ListenerBody({n: v.json for n, v in known.items()}, {n: v.json for n, v in variables.items()})
    )


def unpack_listener(data: bytes) -> ListenerBody:
    if not data:
        return ListenerBody()
    return msgspec.msgpack.decode(data, type=ListenerBody)
