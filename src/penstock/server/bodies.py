"""Reading request bodies: content type, size and JSON, each refused with its own reason."""

from typing import Final, cast

import msgspec
from aiohttp import web

from penstock.model.json_value import Json, check_json
from penstock.server.refusals import BadRequest, UnsupportedMedia

YAML_TYPES: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
JSON_TYPE: Final = "application/json"

_decode: Final = msgspec.json.Decoder().decode


def media_type(request: web.Request) -> str:
    """The media type without parameters, in lower case; "" when the request names none."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    return media == JSON_TYPE or (media.startswith("application/") and media.endswith("+json"))


async def read_bytes(request: web.Request) -> bytes:
    """The body as it was sent: a compressed one is refused, so that its size is what it seems."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(f"the body must not be compressed ({encoding[:50]})")
    try:
        return await request.read()
    except web.RequestPayloadError:
        raise BadRequest("the body ended too early, or is framed wrongly") from None


async def read_json(request: web.Request) -> Json:
    """The JSON body. 415 unless the content type is JSON, 400 unless the engine can carry the value."""
    require_json(request)
    return parse_json(await read_bytes(request))


async def read_optional_json(request: web.Request, default: Json) -> Json:
    """The JSON body, or `default` when the request has no body at all."""
    body = await read_bytes(request)
    if not body:
        return default
    require_json(request)
    return parse_json(body)


async def read_object(request: web.Request, default: dict[str, Json] | None = None) -> dict[str, Json]:
    """The JSON body, which must be an object."""
    body = await (read_json(request) if default is None else read_optional_json(request, default))
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return cast("dict[str, Json]", body)


def require_json(request: web.Request) -> None:
    if not is_json(media := media_type(request)):
        raise UnsupportedMedia(f"the body must be application/json, not {media[:100] or 'without a content type'}")


def parse_json(body: bytes) -> Json:
    """The value of a JSON text; the last of equal keys wins."""
    try:
        value = _decode(body)
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except msgspec.MsgspecError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if (reason := check_json(value)) is not None:
        raise BadRequest(f"the body {reason}")
    return value


async def read_document(request: web.Request) -> str:
    """The text of a workflow document, YAML or JSON."""
    media = media_type(request)
    if media not in YAML_TYPES and not is_json(media):
        said = media[:100] or "without a content type"
        raise UnsupportedMedia(f"the body must be application/yaml or application/json, not {said}")
    try:
        return (await read_bytes(request)).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
