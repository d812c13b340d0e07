"""From a response to the output of a call, or to the fault that its status means. Pure."""

import base64
import codecs
import re
from collections.abc import Callable
from typing import Final, cast
from urllib.parse import unquote

import msgspec

from penstock import errors
from penstock.errors import Fault
from penstock.kernel.values import Value
from penstock.model.json_value import Json, check_json
from penstock.model.limits import INLINE_VALUE_BYTES, MAX_FAULT_TEXT, MAX_VALUE_BYTES
from penstock.tools.contract import Outcome
from penstock.tools.http_client import CREDENTIAL_HEADERS, HttpResponse, place_of
from penstock.tools.http_request import FORM, HttpRequest, is_json_type

MASKED: Final = "***"
_TEXT_TYPES: Final = frozenset(
    {
        FORM,
        "application/xml",
        "application/javascript",
        "application/yaml",
        "application/x-yaml",
        "application/x-ndjson",
        "application/graphql",
        "application/sql",
    }
)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([\w.:+-]+)", re.IGNORECASE)
_OWN_MEMBERS: Final = frozenset({"type", "status", "title", "detail", "instance"})


def output_of(response: HttpResponse, form: str, redirect: bool, mask: Callable[[str], str]) -> Outcome:
    """The output in the asked form (`content`, `raw`, `response`), or communication/STATUS.

    An error is a status outside 200–299, with `redirect` outside 200–399 (DSL reference, "HTTP Call").
    """
    if not 200 <= response.status < (400 if redirect else 300):
        return fault_of_status(response)
    if form == "raw":
        return sized(base64.b64encode(response.body).decode(), response)
    content = content_of(response)
    if isinstance(content, Fault):
        return content
    if form == "content":
        return sized(content.data, response)
    if form == "response":
        exchange = _exchange(response, content.data, mask)
        problem = check_json(exchange)  # one level deeper than the body, which was checked
        return sized(exchange, response) if problem is None else _not_json(response, problem)
    return Fault(errors.CONFIGURATION, 400, "Invalid request", "`output` must be content, raw or response")


def sized(data: Json, response: HttpResponse) -> Outcome:
    value = Value(data)
    if value.size > MAX_VALUE_BYTES:
        detail = f"the output of the call to {place_of(response.request)} is larger than {MAX_VALUE_BYTES} bytes"
        return Fault(errors.RUNTIME, 500, "Response too large", detail)
    return value


def content_of(response: HttpResponse) -> Outcome:
    """The body by its type: JSON parsed, text as a string, anything else as base64; empty is null."""
    if not response.body:
        return Value(None)
    media_type = response.media_type
    if is_json_type(media_type):
        return json_of(response)
    if media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith("+xml"):
        return Value(_text(response))
    return Value(base64.b64encode(response.body).decode())


def json_of(response: HttpResponse) -> Outcome:
    """The body as JSON whatever its type says; communication/500 if it is none that the engine can carry."""
    raw = response.body
    if _charset(response) not in ("utf-8", "ascii"):
        raw = _text(response).encode()
    try:
        data = msgspec.json.decode(raw.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = "is nested too deep" if isinstance(error, RecursionError) else "is not valid JSON"
        return _not_json(response, reason)
    problem = check_json(data)
    return Value(data) if problem is None else _not_json(response, problem)


def _not_json(response: HttpResponse, reason: str) -> Fault:
    detail = f"the answer of {place_of(response.request)} (status {response.status}) {reason}"
    return Fault(errors.COMMUNICATION, 500, "Invalid response", detail)


def _charset(response: HttpResponse) -> str:
    found = _CHARSET.search(response.header("content-type") or "")
    try:
        return codecs.lookup(found.group(1)).name if found else "utf-8"
    except (LookupError, ValueError):
        return "utf-8"


def _text(response: HttpResponse) -> str:
    try:
        text = response.body.decode(_charset(response), "replace")
    except (LookupError, ValueError, UnicodeError):  # codecs that give no text, such as hex
        text = response.body.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()


def _exchange(response: HttpResponse, content: Json, mask: Callable[[str], str]) -> Json:
    sent = response.request
    return {
        "request": {
            "method": sent.method,
            "uri": _shown_uri(sent.uri, mask),
            "headers": _shown_headers(sent, mask),
        },
        "statusCode": response.status,
        "headers": _joined(response.headers),
        "content": content,
    }


def _shown_uri(uri: str, mask: Callable[[str], str]) -> str:
    """The URI without rendered secrets, which may stand in it percent-encoded."""
    plain = unquote(uri)
    masked = mask(plain)
    return masked if masked != plain else mask(uri)


def _shown_headers(sent: HttpRequest, mask: Callable[[str], str]) -> dict[str, str]:
    return {
        name: MASKED if name.lower() in CREDENTIAL_HEADERS else mask(value)
        for name, value in _joined(sent.headers).items()
    }


def _joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Names in the case of their first appearance; the values of a repeated header joined by commas."""
    names: dict[str, str] = {}
    joined: dict[str, str] = {}
    for name, raw in headers:
        value = raw.encode("utf-8", "replace").decode()
        known = names.setdefault(name.lower(), name)
        joined[known] = f"{joined[known]}, {value}" if known in joined else value
    return joined


def fault_of_status(response: HttpResponse) -> Fault:
    """communication with the response's status; a problem document gives title, detail and more."""
    title = response.reason or f"Status {response.status}"
    detail = ""
    extra: dict[str, Json] = {}
    if response.media_type == "application/problem+json":
        title, detail, extra = _problem(response, title)
    if not detail:
        sent = response.request
        detail = f"{sent.method} {place_of(sent)} answered {response.status}"
    return Fault(errors.COMMUNICATION, response.status, title[:MAX_FAULT_TEXT], detail[:MAX_FAULT_TEXT], extra=extra)


def _problem(response: HttpResponse, title: str) -> tuple[str, str, dict[str, Json]]:
    outcome = json_of(response)
    data: Json = None if isinstance(outcome, Fault) else outcome.data
    if not isinstance(data, dict):
        return title, "", {}
    document = cast("dict[str, Json]", data)
    given_title, detail = document.get("title"), document.get("detail")
    extra = {name: member for name, member in document.items() if name not in _OWN_MEMBERS}
    if len(msgspec.json.encode(extra)) > INLINE_VALUE_BYTES:
        extra = {}
    return (
        given_title if isinstance(given_title, str) and given_title else title,
        detail if isinstance(detail, str) else "",
        extra,
    )
