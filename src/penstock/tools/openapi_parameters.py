"""How OpenAPI writes the value of a parameter into a path, a query, a header or a cookie. Pure.

Source: OpenAPI Specification 3.1, "Style Values"; 2.0, `collectionFormat`.
"""

from typing import Final, TypeAlias, cast
from urllib.parse import quote

import msgspec

from penstock.model.json_value import Json
from penstock.tools.http_request import InvalidRequest, scalar_text

# Without `&`, `#` and `+`: they would change where a value ends, or what it says.
_RESERVED: Final = ":/?[]@!$'()*,;="
_SEPARATORS: Final = {
    "form": ",",
    "simple": ",",
    "spaceDelimited": "%20",
    "pipeDelimited": "%7C",
    "tab": "%09",
}
_DEFAULT_STYLES: Final = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
_COLLECTION_STYLES: Final = {"csv": "form", "ssv": "spaceDelimited", "tsv": "tab", "pipes": "pipeDelimited"}

Texts: TypeAlias = str | list[str] | dict[str, str]
"""A value with its scalars as text."""


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an operation; `place` is path, query, header, cookie, body or formData.

    `as_json` means that the value goes out as JSON text, `reserved` that reserved characters stay.
    """

    name: str
    place: str
    required: bool
    style: str
    explode: bool
    reserved: bool = False
    as_json: bool = False
    default: Json = None
    is_file: bool = False


def read_parameter(data: dict[str, Json], schema: dict[str, Json]) -> Parameter:
    """The parameter as OpenAPI 3 or Swagger 2 describes it; `schema` is its schema with `$ref` resolved."""
    name, place = str(data.get("name", "")), str(data.get("in", ""))
    style, explode = _style(data, place)
    return Parameter(
        name,
        place,
        data.get("required") is True or place == "path",
        style,
        explode,
        data.get("allowReserved") is True,
        isinstance(data.get("content"), dict),
        schema.get("default", data.get("default")),
        data.get("type") == "file",
    )


def _style(data: dict[str, Json], place: str) -> tuple[str, bool]:
    collection = data.get("collectionFormat")
    if collection == "multi":
        return "form", True
    if "style" not in data and "schema" not in data and "content" not in data and place in ("query", "formData"):
        return _COLLECTION_STYLES.get(str(collection), "form"), False
    style = str(data.get("style", _DEFAULT_STYLES.get(place, "form")))
    return style, bool(data.get("explode", style == "form"))


def _texts(parameter: Parameter, value: Json) -> Texts:
    what = f"the parameter {parameter.name!r}"
    if parameter.as_json:
        return msgspec.json.encode(value).decode()
    if isinstance(value, list):
        return [scalar_text(item, f"each item of {what}") for item in cast("list[Json]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Json]", value)
        return {name: scalar_text(item, f"each member of {what}") for name, item in members.items()}
    return scalar_text(value, what)


def path_text(parameter: Parameter, value: Json) -> str:
    """What replaces `{name}` in the path: styles simple, label, matrix."""
    texts = _texts(parameter, value)
    if not texts or texts in (".", ".."):
        raise InvalidRequest(f"the path parameter {parameter.name!r} must not be empty, '.' or '..'")
    name = _encoded(parameter.name)
    match parameter.style:
        case "simple":
            return _joined(parameter, texts, ",")
        case "label":
            return "." + _joined(parameter, texts, "." if parameter.explode else ",")
        case "matrix":
            if isinstance(texts, list) and parameter.explode:
                return "".join(f";{name}={_encoded(text)}" for text in texts)
            if isinstance(texts, dict) and parameter.explode:
                return ";" + _joined(parameter, texts, ";")
            return f";{name}={_joined(parameter, texts, ',')}"
        case _:
            raise _unknown_style(parameter)


def query_parts(parameter: Parameter, value: Json) -> list[str]:
    """The `name=value` parts of a query: styles form, spaceDelimited, pipeDelimited, deepObject."""
    texts = _texts(parameter, value)
    name = _encoded(parameter.name)
    if parameter.style == "deepObject":
        if not isinstance(texts, dict):
            raise InvalidRequest(f"the parameter {parameter.name!r} must be an object")
        return [f"{name}%5B{_encoded(key)}%5D={_value(parameter, text)}" for key, text in texts.items()]
    if parameter.style not in _SEPARATORS or parameter.style == "simple":
        raise _unknown_style(parameter)
    if isinstance(texts, str):
        return [f"{name}={_value(parameter, texts)}"]
    if not parameter.explode:
        return [f"{name}={_joined(parameter, texts, _SEPARATORS[parameter.style])}"] if texts else []
    if isinstance(texts, list):
        return [f"{name}={_value(parameter, text)}" for text in texts]
    return [f"{_encoded(key)}={_value(parameter, text)}" for key, text in texts.items()]


def header_text(parameter: Parameter, value: Json) -> str:
    """The value of a header (style simple), nothing of it escaped."""
    texts = _texts(parameter, value)
    if isinstance(texts, str):
        return texts
    if isinstance(texts, list):
        return ",".join(texts)
    return ",".join(f"{key}={text}" if parameter.explode else f"{key},{text}" for key, text in texts.items())


def _joined(parameter: Parameter, texts: Texts, separator: str) -> str:
    if isinstance(texts, str):
        return _value(parameter, texts)
    if isinstance(texts, list):
        return separator.join(_value(parameter, text) for text in texts)
    between = "=" if parameter.explode else separator
    return separator.join(f"{_encoded(key)}{between}{_value(parameter, text)}" for key, text in texts.items())


def _value(parameter: Parameter, text: str) -> str:
    return quote(text, safe=_RESERVED if parameter.reserved else "")


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _unknown_style(parameter: Parameter) -> InvalidRequest:
    return InvalidRequest(
        f"the parameter {parameter.name!r} has the style {parameter.style!r}, which {parameter.place} "
        "parameters do not have"
    )
