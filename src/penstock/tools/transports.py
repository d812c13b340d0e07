"""Reads how a tool is reached, one function for each kind of transport. Pure."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from penstock.model.diagnostics import suggestion
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json
from penstock.model.limits import (
    MAX_LEASE_MS,
    MAX_NAME_CHARACTERS,
    MAX_PUSH_ATTEMPTS,
    MAX_PUSH_TIMEOUT_MS,
    MIN_LEASE_MS,
    PULL_LEASE_MS,
    PUSH_TIMEOUT_MS,
)
from penstock.tools.contract import HttpTransport, PullTransport, PushTransport, Transport
from penstock.tools.http_request import InvalidRequest, header_pairs, target_of

Report: TypeAlias = Callable[[str, str, str], None]
"""Takes a mistake: its JSON Pointer, the message, a code."""

_HTTP_MEMBERS: Final = ("kind", "endpoint", "method", "headers", "answer")
_PUSH_MEMBERS: Final = ("kind", "url", "secret", "headers", "timeout", "attempts")
_PULL_MEMBERS: Final = ("kind", "lease")
_METHODS: Final = ("POST", "PUT", "PATCH")
_PLANNED: Final = ("nats", "grpc", "command", "container", "python")
_KINDS: Final = "'http', 'push' or 'pull'"


def read_transport(data: Json, report: Report) -> Transport:
    """The transport that `data` defines; what comes back after a report means nothing.

    Shapes: `{"kind": "http", "endpoint", "method"?, "headers"?, "answer"?}`, `{"kind": "push", "url", "secret"?,
    "headers"?, "timeout"?, "attempts"?}`, `{"kind": "pull", "lease"?}`; `timeout` and `lease` are durations.
    """
    if not isinstance(data, dict):
        missing = data is None
        message = "'transport' is missing" if missing else "'transport' must be an object"
        report("/transport", message, "missing" if missing else "type")
        return HttpTransport("")
    members = cast("dict[str, Json]", data)
    match kind := members.get("kind"):
        case "http":
            return _http(members, report)
        case "push":
            return _push(members, report)
        case "pull":
            return _pull(members, report)
        case _:
            shown = repr(kind)[:100]
            planned = f"the transport {shown} is not available yet; use {_KINDS}"
            message = planned if kind in _PLANNED else f"there is no transport {shown}; use {_KINDS}"
            report("/transport/kind", message, "value")
            return HttpTransport("")


def report_unknown(data: Mapping[str, Json], pointer: str, members: tuple[str, ...], report: Report) -> None:
    """Reports every member that nobody knows."""
    for name in data:
        if name not in members:
            hint = suggestion(name, members)
            report(f"{pointer}/{name}", f"there is no member {name[:100]!r} here{hint}", "unknown-member")


def read_span(data: Mapping[str, Json], member: str, pointer: str, report: Report, default: int) -> int:
    """A duration longer than nothing, in milliseconds."""
    if member not in data:
        return default
    length = duration_ms(data[member])
    if isinstance(length, str):
        report(pointer, length, "value")
    elif length == 0:
        report(pointer, f"{member!r} must be longer than nothing", "value")
    else:
        return length
    return default


def _http(members: dict[str, Json], report: Report) -> HttpTransport:
    report_unknown(members, "/transport", _HTTP_MEMBERS, report)
    target = _target(members, "endpoint", report)
    headers = _headers(members, report)
    method = str(members.get("method", "POST")).upper()
    if method not in _METHODS:
        report("/transport/method", f"'method' must be one of {', '.join(_METHODS)}", "value")
    answer: Json = members.get("answer", "any")
    if answer not in ("any", "object"):
        report("/transport/answer", "'answer' must be any or object", "value")
        answer = "any"
    return HttpTransport(target, method, headers, answer)


def _push(members: dict[str, Json], report: Report) -> PushTransport:
    report_unknown(members, "/transport", _PUSH_MEMBERS, report)
    target, headers = _target(members, "url", report), _headers(members, report)
    secret: Json = members.get("secret", "")
    if not isinstance(secret, str) or len(secret) > MAX_NAME_CHARACTERS or (not secret and "secret" in members):
        report("/transport/secret", "'secret' must be the name of a stored secret", "type")
        secret = ""
    timeout_ms = read_span(members, "timeout", "/transport/timeout", report, PUSH_TIMEOUT_MS)
    if timeout_ms > MAX_PUSH_TIMEOUT_MS:
        report("/transport/timeout", f"'timeout' must be at most {MAX_PUSH_TIMEOUT_MS} milliseconds", "value")
    attempts: Json = members.get("attempts", MAX_PUSH_ATTEMPTS)
    if not isinstance(attempts, int) or isinstance(attempts, bool) or not 1 <= attempts <= MAX_PUSH_ATTEMPTS:
        report("/transport/attempts", f"'attempts' must be an integer from 1 to {MAX_PUSH_ATTEMPTS}", "value")
        attempts = MAX_PUSH_ATTEMPTS
    return PushTransport(target, secret, headers, timeout_ms, attempts)


def _pull(members: dict[str, Json], report: Report) -> PullTransport:
    report_unknown(members, "/transport", _PULL_MEMBERS, report)
    lease_ms = read_span(members, "lease", "/transport/lease", report, PULL_LEASE_MS)
    if not MIN_LEASE_MS <= lease_ms <= MAX_LEASE_MS:
        report("/transport/lease", f"'lease' must be {MIN_LEASE_MS} to {MAX_LEASE_MS} milliseconds", "value")
    return PullTransport(lease_ms)


def _target(members: dict[str, Json], member: str, report: Report) -> str:
    if member not in members:
        report(f"/transport/{member}", f"{member!r} is missing", "missing")
        return ""
    try:
        target_of(members[member])
    except InvalidRequest as error:
        report(f"/transport/{member}", str(error), "value")
    return str(members[member])


def _headers(members: dict[str, Json], report: Report) -> dict[str, str]:
    try:
        return dict(header_pairs(members.get("headers")))
    except InvalidRequest as error:
        report("/transport/headers", str(error), "value")
        return {}
