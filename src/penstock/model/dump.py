"""Writes a definition as YAML or JSON text that reads back to the equal definition.

Block style, the own key order, texts of several lines as literal blocks. A text is quoted wherever
YAML 1.1 or 1.2 could take it for something else (`on`, `12:30`, `0o7`, dates).
"""

import io
import json
import re
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString, SingleQuotedScalarString

from penstock.model import plain_data
from penstock.model.json_value import Json

_LINE_WIDTH: Final = 4096  # never fold: a folded text is hard to compare
_SAFE: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_(][A-Za-z0-9_./+(),-]*)*")
_SAFE_EXPRESSION: Final = re.compile(r"\$\{ [^#:{}\[\]\"'\n\\]+ \}")
_MISREAD: Final = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|inf|nan|_")
_PRINTABLE: Final = re.compile(r"[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*")


def dump_json(definition: Json) -> str:
    """Indented JSON text, ending with a newline; refuses nothing that a document can hold."""
    return json.dumps(definition, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def dump_yaml(definition: Json) -> str:
    """YAML 1.2 text in block style, ending with a newline."""
    writer: Json = YAML(typ="rt", pure=True)
    writer.width = _LINE_WIDTH
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(_styled(definition), stream)
    return stream.getvalue()


def _styled(value: Json) -> Json:
    """The value with every text marked by the style in which it is written; the document limits the depth."""
    if plain_data.is_map(value):
        return {_key(key): _styled(member) for key, member in value.items()}
    if plain_data.is_list(value):
        return [_styled(item) for item in value]
    return _styled_text(value) if isinstance(value, str) else value


def _key(key: str) -> str:
    return key if _is_plain(key) else _quoted(key)


def _styled_text(text: str) -> str:
    if "\n" in text:
        return LiteralScalarString(text) if _fits_literal(text) else DoubleQuotedScalarString(text)
    return text if _is_plain(text) or _SAFE_EXPRESSION.fullmatch(text) else _quoted(text)


def _is_plain(text: str) -> bool:
    return _SAFE.fullmatch(text) is not None and not _MISREAD.fullmatch(text) and len(text) < 1000


def _quoted(text: str) -> str:
    single = _PRINTABLE.fullmatch(text) is not None
    return SingleQuotedScalarString(text) if single else DoubleQuotedScalarString(text)


def _fits_literal(text: str) -> bool:
    """Whether a literal block keeps the text exactly, without indentation hints."""
    lines = text.split("\n")
    printable = all(_PRINTABLE.fullmatch(line) for line in lines)
    return (
        printable and bool(lines[0]) and not lines[0].startswith(" ") and not any(line.endswith(" ") for line in lines)
    )
