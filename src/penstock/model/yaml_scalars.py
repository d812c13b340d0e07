"""Scalars of the YAML 1.2 core schema (YAML 1.2.2, section 10.3)."""

import re
from typing import Final

from penstock.model import plain_data
from penstock.model.json_value import Json
from penstock.model.text_error import TextError
from penstock.model.yaml_events import YamlEvent

_CORE: Final = "tag:yaml.org,2002:"
_WORDS: Final[dict[str, Json]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_DIGITS: Final = 40  # more than any 64-bit integer has, in any base


def value_of(event: YamlEvent) -> Json:
    """The value of a scalar; `TextError` when the document may not hold it."""
    tag, line, column = event.tag, event.line, event.column
    if tag is None:
        value = resolve(event.value) if event.plain else event.value
    elif tag == "!" or tag == _CORE + "str":
        value = event.value
    elif tag.startswith(_CORE) and _type_of(resolve(event.value)) == tag.removeprefix(_CORE):
        value = resolve(event.value)
    else:
        raise TextError(f"the tag {tag!r} is not supported", "tag", line, column)
    message = plain_data.scalar_message(value)
    if message:
        raise TextError(message, "value", line, column)
    return value


def key_of(event: YamlEvent) -> str:
    """The text of a key, whatever it would mean as a value; merge keys are refused: YAML 1.2 has none."""
    line, column = event.line, event.column
    if event.tag not in (None, "!", _CORE + "str"):
        raise TextError(f"the tag {event.tag!r} is not supported on a key", "tag", line, column)
    if event.plain and event.value == "<<":
        raise TextError("merge keys (<<) are not supported; write the members out", "merge-key", line, column)
    if event.plain and event.value == "":
        raise TextError("a key is missing", "key", line, column)
    if not plain_data.is_unicode(event.value):
        raise TextError("a key holds half of a surrogate pair", "value", line, column)
    return event.value


def resolve(text: str) -> Json:
    """What a plain scalar means. Numbers beyond the limits come out as such and are refused by the caller."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text) if len(text) <= _MOST_DIGITS else float("inf")
    if _OCTAL.fullmatch(text):
        return int(text, 0) if len(text) <= _MOST_DIGITS else float("inf")
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 0) if len(text) <= _MOST_DIGITS else float("inf")
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float("nan")
    return text


def _type_of(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "str"
