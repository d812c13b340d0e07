"""How people name an event: by its id, with its source where several have it."""

from typing import Final

from penstock.cli.api import Api, segment
from penstock.cli.exits import CONFLICT, NOT_FOUND, CommandFailed
from penstock.model.limits import MAX_EVENTS_BY_ID

_EVENTS: Final = "/api/v1/events"


def event_path(api: Api, event_id: str, source: str | None) -> str:
    """Where an event is in the API. Without its source the newest `MAX_EVENTS_BY_ID` events are looked through."""
    if source is None:
        source = _source(api, event_id)
    return f"{_EVENTS}/{segment(source)}/{segment(event_id)}"


def _source(api: Api, event_id: str) -> str:
    found = {str(one["source"]) for one in api.items(_EVENTS, most=MAX_EVENTS_BY_ID) if one["id"] == event_id}
    if not found:
        message = f"none of the newest {MAX_EVENTS_BY_ID} events has the id {event_id[:100]!r}"
        raise CommandFailed(NOT_FOUND, message, advice="--source names where it comes from; `penstock ls events` lists")
    if len(found) > 1:
        message = f"events of several sources have the id {event_id[:100]!r}: {', '.join(sorted(found)[:5])}"
        raise CommandFailed(CONFLICT, message, advice="--source names one")
    return found.pop()
