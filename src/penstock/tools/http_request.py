"""From the arguments of a call to the bytes of one HTTP request. Pure; mistakes of authors become faults."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec
from yarl import URL

from penstock import errors
from penstock.errors import Fault
from penstock.model.json_value import Json
from penstock.model.limits import MAX_CALL_HEADERS, MAX_HEADER_BYTES, MAX_URI_BYTES, MAX_VALUE_BYTES

FORM: Final = "application/x-www-form-urlencoded"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNFIT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SPACE_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_LEGAL: Final = "%/:?@!$&'()*+,;=~-._[]"
_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HttpRequest(msgspec.Struct, frozen=True):
    """One request as it goes out. May hold rendered secrets: never logged, and never shown by `repr`."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def with_header(self, name: str, value: str) -> "HttpRequest":
        """The request with this header instead of every other of that name."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return msgspec.structs.replace(self, headers=(*others, (name, value)))

    def with_default(self, name: str, value: str) -> "HttpRequest":
        """The request with this header, unless it has one of that name."""
        return self if self.header(name) is not None else self.with_header(name, value)

    def __repr__(self) -> str:
        return f"HttpRequest({self.method})"


class InvalidRequest(Exception):
    """The arguments make no request; stays inside this package."""


def build_request(arguments: Mapping[str, Json]) -> HttpRequest | Fault:
    """The request for `{"method", "uri", "headers"?, "query"?, "body"?}`; configuration/400 if there is none.

    Header and query values: scalars as JSON writes them, null left out, a list repeats the query key
    and joins a header with commas. A body is JSON unless a Content-Type says otherwise.
    Source: DSL reference, "HTTP Call".
    """
    try:
        method = method_of(arguments.get("method"))
        uri = target_of(arguments.get("uri"), query_pairs(arguments.get("query")))
        headers = header_pairs(arguments.get("headers"))
        return with_body(HttpRequest(method, uri, headers), arguments.get("body"))
    except InvalidRequest as error:
        return Fault(errors.CONFIGURATION, 400, "Invalid request", str(error))


def method_of(method: Json) -> str:
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        raise InvalidRequest("the method must be a word such as GET or POST")
    if method.upper() == "CONNECT":
        raise InvalidRequest("the method CONNECT cannot be used for a call")
    return method.upper()


def target_of(uri: Json, query: Iterable[tuple[str, str]] = ()) -> str:
    """The absolute http(s) URI with the query added, its characters made legal; escapes stay as they are."""
    if not isinstance(uri, str) or not uri:
        raise InvalidRequest("the URI must be a text that is not empty")
    if _SPACE_OR_CONTROL.search(uri.split("/", 3)[2] if uri.count("/") > 1 else uri):
        raise InvalidRequest("the URI holds a space or control character where its host should be")
    try:
        parts = urlsplit(uri)
        authority = _authority(parts.scheme, parts.netloc, uri)
    except ValueError as error:
        raise InvalidRequest(f"the URI is not valid: {error}") from None
    added = urlencode(list(query), quote_via=quote, safe="")
    full_query = "&".join(part for part in (_legal(parts.query), added) if part)
    target = urlunsplit((parts.scheme.lower(), authority, _legal(parts.path) or "/", full_query, ""))
    if len(target) > MAX_URI_BYTES:
        raise InvalidRequest(f"the URI is longer than {MAX_URI_BYTES} bytes")
    return target


def _authority(scheme: str, netloc: str, uri: str) -> str:
    if scheme.lower() not in ("http", "https"):
        named = f"the scheme {scheme!r}" if scheme else "no scheme"
        raise InvalidRequest(f"the URI has {named}; only http and https can be called")
    url = URL(f"{scheme}://{netloc}/") if netloc else URL()
    if not url.raw_host or not url.raw_authority:
        raise InvalidRequest("the URI names no host")
    if url.user is not None or url.password is not None:
        raise InvalidRequest("the URI holds credentials; use `authentication` instead")
    if "\\" in uri.split("?", 1)[0]:
        raise InvalidRequest("the URI holds a backslash")
    return url.raw_authority


def _legal(text: str) -> str:
    """Percent-encodes what a path or query may not hold, and nothing else."""
    return _BARE_PERCENT.sub("%25", quote(text, safe=_LEGAL, errors="replace"))


def query_pairs(query: Json) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in _members(query, "query").items():
        what = f"the query parameter {name!r}"
        pairs.extend((name, scalar_text(item, what)) for item in _items(value))
    return pairs


def header_pairs(headers: Json) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for name, value in _members(headers, "headers").items():
        what = f"the header {name!r}"
        texts = [scalar_text(item, what) for item in _items(value)]
        if texts:
            pairs.append((name, check_header(name, ", ".join(texts))))
    if len(pairs) > MAX_CALL_HEADERS:
        raise InvalidRequest(f"the call has more than {MAX_CALL_HEADERS} headers")
    return tuple(pairs)


def check_header(name: str, value: str) -> str:
    """The value without spaces around it; refused if it could end the header or reframe the body."""
    if not _TOKEN.fullmatch(name):
        raise InvalidRequest(f"{name[:100]!r} cannot be the name of a header")
    if name.lower() in _FRAMING:
        raise InvalidRequest(f"the header {name!r} is set by the engine itself")
    if _UNFIT.search(value):
        raise InvalidRequest(f"the header {name!r} holds a line break or another control character")
    if len(value.encode()) > MAX_HEADER_BYTES:
        raise InvalidRequest(f"the header {name!r} is longer than {MAX_HEADER_BYTES} bytes")
    return value.strip()


def scalar_text(value: Json, what: str) -> str:
    """A scalar as JSON writes it, without the quotes of a text."""
    match value:
        case str():
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise InvalidRequest(f"{what} holds half of a surrogate pair")
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case int() | float():
            return msgspec.json.encode(value).decode()
        case _:
            raise InvalidRequest(f"{what} must be a text, number or boolean, or a list of them")


def with_body(request: HttpRequest, body: Json) -> HttpRequest:
    """The request with the body in the form that its Content-Type asks for; JSON when it names none.

    Null is no body. Under a type other than JSON a text goes out as it stands, an object as a form if that is
    the type, and any other value as JSON text.
    """
    if body is None:
        return request
    content_type = request.header("content-type")
    essence = (content_type or "application/json").split(";", 1)[0].strip().lower()
    if essence.startswith("multipart/"):
        raise InvalidRequest(f"a body of the type {essence!r} cannot be made")
    if isinstance(body, str) and not is_json_type(essence):
        encoded = scalar_text(body, "the body").encode()
    elif essence == FORM:
        encoded = urlencode(query_pairs(body), quote_via=quote, safe="").encode()
    else:
        encoded = msgspec.json.encode(body)
    if len(encoded) > MAX_VALUE_BYTES:
        raise InvalidRequest(f"the body is larger than {MAX_VALUE_BYTES} bytes")
    return msgspec.structs.replace(request, body=encoded).with_default("Content-Type", "application/json")


def is_json_type(essence: str) -> bool:
    return essence == "application/json" or essence.endswith("+json")


def _items(value: Json) -> list[Json]:
    """The values of a list, or the value itself; without nulls."""
    items = cast("list[Json]", value) if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def _members(value: Json, what: str) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"`{what}` must be an object")
    return cast("dict[str, Json]", value)
