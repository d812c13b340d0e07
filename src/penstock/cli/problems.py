"""Turns the server's problem details (RFC 9457) into the end of a command: the one place that does."""

from collections.abc import Iterable
from typing import Final

from penstock.cli.exits import CONFLICT, INVALID, NOT_FOUND, UNREACHABLE, CommandFailed
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map

_EXITS: Final = {404: NOT_FOUND, 409: CONFLICT}
_ADVICE: Final = {
    401: "--token TOKEN, or PENSTOCK_TOKEN",
    403: "ask by http://127.0.0.1, or start the server with a token",
    503: "the same again in a moment",
}


def failure(status: int, body: Json, document: str = "") -> CommandFailed:
    """The failure that an answer of 400 or more means; `document` names the file that was sent."""
    problem = body if is_map(body) else {}
    title, detail = str(problem.get("title") or f"HTTP status {status}"), str(problem.get("detail") or "")
    places = [place_line(found, document) for found in findings_of(problem.get("errors"))]
    if places and document:
        detail = document  # the places say the rest
    message = f"{title.lower()}: {detail}" if detail else title.lower()
    exit_code = _EXITS.get(status, UNREACHABLE if status >= 500 else INVALID)
    return CommandFailed(exit_code, message, places=places, advice=_advice(status, problem))


def _advice(status: int, problem: dict[str, Json]) -> str:
    scopes = problem.get("missing_scopes")
    if is_list(scopes) and scopes:
        return f"another --token; `penstock tokens create NAME --scope {scopes[0]}` makes one that may"
    if status == 403 and "namespace" in str(problem.get("detail")):
        return "another --token, for this namespace or for all"
    return _ADVICE.get(status, "")


def findings_of(value: Json) -> Iterable[dict[str, Json]]:
    """The members of `errors` or `warnings` that have the shape they should have."""
    return [found for found in value if is_map(found)] if is_list(value) else []


def place_line(found: dict[str, Json], document: str) -> str:
    """`file:line:column: severity: message`; the pointer stands for line and column where there are none."""
    line, column = found.get("line"), found.get("column")
    name = document or "<document>"
    place = f"{name}:{line}:{column}" if line else f"{name}#{found.get('pointer', '')}"
    return f"{place}: {found.get('severity', 'error')}: {found.get('message', '')}"
