"""Sends an event again: as a new one that names the original.

The same (source, id) is taken once and brought to a run once, for ever. So an event that shall be heard again, also by
runs that had it, needs an id of its own. Everything else stays: source, type, subject, time and data.
"""

from typing import Final

from penstock.model.json_value import Json

RESEND_OF: Final = "penstockresendof"
"""The extension that holds the id of the event that was sent again; its source is that of the new one."""


def resent(event: dict[str, Json], new_id: str) -> dict[str, Json]:
    """The event that says the same again. Its time to live begins anew."""
    return {**event, "id": new_id, RESEND_OF: event["id"]}
