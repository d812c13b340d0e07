"""Instants as the DSL shows them."""

from datetime import UTC, datetime, timedelta

from penstock.model.json_value import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_ms: int) -> str:
    """Milliseconds UTC as `2026-01-31T12:00:00.000Z`."""
    instant = _EPOCH + timedelta(milliseconds=at_ms)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def date_time(at_ms: int) -> Json:
    """The dateTime descriptor of runtime expression arguments (DSL reference, "DateTime Descriptor")."""
    return {"iso8601": rfc3339(at_ms), "epoch": {"seconds": at_ms // 1000, "milliseconds": at_ms}}
