"""Answers that went well: JSON bodies, pages, and instants as RFC 3339 in UTC with milliseconds."""

from typing import Final

import msgspec
from aiohttp import web

from penstock.kernel.instants import rfc3339
from penstock.model.json_value import Json

encode: Final = msgspec.json.Encoder().encode


def reply(body: Json, status: int = 200, *, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=encode(body), content_type="application/json", headers=headers)


def no_content() -> web.Response:
    return web.Response(status=204)


def page(items: list[Json], next_cursor: str | None) -> web.Response:
    """One page of a list; `next_cursor` is None on the last."""
    return reply({"items": items, "next_cursor": next_cursor})


def instant(at: int | None) -> str | None:
    """Milliseconds UTC as RFC 3339; None for an instant that is not set (None or 0)."""
    return rfc3339(at) if at else None
