"""Instants and spans of time as people read them."""

from datetime import UTC, datetime

from penstock.model.json_value import Json


def span(seconds: float) -> str:
    """`12ms`, `3.4s`, `2m 05s`, `1h 02m`, `3d 4h`."""
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def instant(value: Json) -> datetime | None:
    """An RFC 3339 text as an instant; None for anything else."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None
    except ValueError:
        return None


def between(begin: Json, end: Json) -> str:
    """The span between two RFC 3339 texts; "" when one of them is missing."""
    first, last = instant(begin), instant(end)
    return span((last - first).total_seconds()) if first and last else ""
