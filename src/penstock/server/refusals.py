"""Requests that the HTTP layer itself refuses; all are the caller's mistakes."""

from typing import Final

from penstock.errors import CallerError, PenstockError


class BadRequest(CallerError):
    """The body or a header cannot be read."""

    title = "Bad request"


class BadParameter(CallerError):
    """A query, path or header parameter has a value it cannot have."""

    title = "Bad parameter"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.parameter: Final = name


class Unauthorized(CallerError):
    """The bearer token is missing or wrong."""

    status = 401
    title = "Unauthorized"


class Forbidden(CallerError):
    """The request comes from a place that may not ask."""

    status = 403
    title = "Forbidden"


class MissingScope(Forbidden):
    """The token is good and may not do this. `scopes` are those of which one would do."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__(f"the token may not do this: it needs the scope {' or '.join(scopes)}")
        self.scopes: Final = scopes


class UnsupportedMedia(CallerError):
    """The body's content type is none that this call reads."""

    status = 415
    title = "Unsupported media type"


class TooManyStreams(PenstockError):
    """Every place for a live stream is taken; try again later."""


class UnsafeBinding(CallerError):
    """The server would be reachable from other machines without a token."""

    title = "Unsafe address"
