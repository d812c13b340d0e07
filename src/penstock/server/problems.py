"""The one place that turns what goes wrong into an answer: RFC 9457 problem details.

Every error of every route has the same shape and never holds a traceback. `message` repeats the reason where
the machinery surface promises it.
"""

from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from penstock.errors import CallerError, InfrastructureError
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES
from penstock.server.refusals import MissingScope, TooManyStreams, Unauthorized
from penstock.server.replies import encode

PROBLEM_TYPE: Final = "application/problem+json"
_MACHINERY_PREFIXES: Final = ("/e", "/s", "/w")
_RETRY_AFTER_S: Final = "1"


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    type: str = "about:blank",  # noqa: A002 - the member's name in RFC 9457
    errors: tuple[Json, ...] = (),
    members: dict[str, Json] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """An answer with problem details; `members` are further ones of the document."""
    document: dict[str, Json] = {
        **(members or {}),
        "type": type,
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        document["errors"] = [_place(error) for error in errors]
    return web.Response(status=status, body=encode(document), content_type=PROBLEM_TYPE, headers=headers)


def problem_answers(log: structlog.stdlib.BoundLogger) -> Middleware:
    """The outermost middleware: whatever a handler raises becomes an answer."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except CallerError as error:
            return _caller_problem(request, error)
        except web.HTTPException as error:
            return _routing_problem(request, error)
        except TooManyStreams as error:
            return _unavailable(request, str(error))
        except InfrastructureError as error:
            log.warning("request not served", method=request.method, path=request.path, reason=str(error))
            return _unavailable(request, str(error))
        except ConnectionResetError:
            raise  # the caller has gone; nobody reads an answer
        except Exception as error:
            # The bulkhead of a request: a defect of ours costs this answer and nothing else.
            log.error("request failed", method=request.method, path=request.path, exc_info=error)
            detail = "this request met a defect of the server; the log of the server says more"
            return problem(500, "Internal error", detail)

    return answer


def _caller_problem(request: web.Request, error: CallerError) -> web.Response:
    headers, members = None, _message(request, error.detail)
    if isinstance(error, Unauthorized):
        headers = {"WWW-Authenticate": 'Bearer realm="penstock"'}
    elif isinstance(error, MissingScope):  # RFC 6750, section 3.1
        challenge = f'Bearer realm="penstock", error="insufficient_scope", scope="{" ".join(error.scopes)}"'
        headers, members = {"WWW-Authenticate": challenge}, {**members, "missing_scopes": list(error.scopes)}
    return problem(
        error.status,
        error.title,
        error.detail,
        errors=error.errors,
        members=members,
        headers=headers,
    )


def _routing_problem(request: web.Request, error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": allow})
        detail = f"{request.path} does not take {request.method[:32]}; it takes {allow}"
        return problem(405, "Method not allowed", detail, members=_message(request, detail), headers={"Allow": allow})
    title = HTTPStatus(error.status).phrase.capitalize()
    detail = _routing_detail(request, error)
    return problem(error.status, title, detail, members=_message(request, detail))


def _routing_detail(request: web.Request, error: web.HTTPException) -> str:
    match error:
        case web.HTTPNotFound():
            return f"there is nothing at {request.path[:200]}"
        case web.HTTPRequestEntityTooLarge():
            return f"the body is larger than {MAX_BODY_BYTES} bytes"
        case _:
            return error.reason


def _unavailable(request: web.Request, detail: str) -> web.Response:
    return problem(
        503,
        "Not available now",
        detail,
        members=_message(request, detail),
        headers={"Retry-After": _RETRY_AFTER_S},
    )


def _message(request: web.Request, detail: str) -> dict[str, Json]:
    first = "/" + request.path.lstrip("/").partition("/")[0]
    return {"message": detail} if first in _MACHINERY_PREFIXES else {}


def _place(error: Json) -> Json:
    """A finding as JSON; line and column only where there was a text."""
    if not isinstance(error, Diagnostic):
        return error
    place: dict[str, Json] = {"pointer": error.pointer, "message": error.message, "code": error.code}
    if error.line:
        place |= {"line": error.line, "column": error.column}
    return place | {"severity": error.severity}


def findings(diagnostics: tuple[Diagnostic, ...]) -> list[Json]:
    """Findings as they stand in answers."""
    return [_place(diagnostic) for diagnostic in diagnostics]
