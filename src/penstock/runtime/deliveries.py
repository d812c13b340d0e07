"""What tools get: their copy of a task's event, and for pushed ones the signature. Pure.

Source of the signature: HMAC-SHA256 (RFC 2104) over the time in seconds, a dot, and the body.
"""

import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from penstock.events.cloudevent import BATCH, STRUCTURED
from penstock.events.tool_events import LEASE, TOOL
from penstock.store.rows import WorkRow

SIGNATURE: Final = "Penstock-Signature"
EVENT_MEDIA: Final = STRUCTURED
BATCH_MEDIA: Final = BATCH


def event_for(row: WorkRow) -> bytes:
    """The event as this tool gets it: with its name, and with the number of its lease if it has one."""
    lease = f',"{LEASE}":{row.token}' if row.kind == "pull" else ""
    return row.event[:-1] + f',"{TOOL}":'.encode() + msgspec.json.encode(row.tool) + lease.encode() + b"}"


def batch_of(rows: Sequence[WorkRow]) -> bytes:
    """Several events as one JSON array."""
    return b"[" + b",".join(event_for(row) for row in rows) + b"]"


def signature(key: bytes, at_ms: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`."""
    at = at_ms // 1000
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, 'sha256').hexdigest()}"
