"""From a structured CloudEvent to the row that the store keeps, and back."""

from typing import Final

import msgspec

from penstock.events.validation import event_ttl_ms
from penstock.model.json_value import Json
from penstock.store.rows import EventRow

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def event_row(event: dict[str, Json], at: int, run_id: str = "") -> EventRow:
    """The row of an event that came, or was published by `run_id`, at `at`."""
    return EventRow(
        source=str(event["source"]),
        id=str(event["id"]),
        type=str(event["type"]),
        subject=str(event.get("subject") or ""),
        at=at,
        expires_at=at + event_ttl_ms(event),
        body=_encode(event),
        run_id=run_id,
    )


def event_of(row: EventRow) -> dict[str, Json]:
    """The structured CloudEvent of a row."""
    return _decode(row.body)
