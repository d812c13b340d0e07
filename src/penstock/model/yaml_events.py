"""The YAML parser's events as typed values of our own: the one place that touches the untyped library."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final, Literal, assert_never

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from penstock.model.json_value import Json
from penstock.model.text_error import TextError

EventKind = Literal["document", "scalar", "map", "list", "end", "alias"]


# The parser trips over some broken texts in its own code; that too is a broken text.
_STUMBLES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_KINDS: Final = MappingProxyType[type, EventKind](
    {
        AliasEvent: "alias",
        DocumentStartEvent: "document",
        MappingEndEvent: "end",
        MappingStartEvent: "map",
        ScalarEvent: "scalar",
        SequenceEndEvent: "end",
        SequenceStartEvent: "list",
    }
)


class YamlEvent(msgspec.Struct, frozen=True):
    """`value` is a scalar's text or an alias's anchor; `plain` tells an unquoted scalar; places from 1."""

    kind: EventKind
    line: int
    column: int
    value: str = ""
    tag: str | None = None
    anchor: str | None = None
    plain: bool = False


def events_of(text: str) -> Iterator[YamlEvent]:
    """The events in order; `TextError` at the first mistake of syntax."""
    parser: Json = YAML(typ="safe", pure=True)
    events: Iterator[Json] = iter(parser.parse(text))
    while True:
        try:
            event = next(events)
        except StopIteration:
            return
        except MarkedYAMLError as error:
            raise _syntax_error(error) from None
        except ReaderError as error:
            raise _character_error(text, error) from None
        except (YAMLError, *_STUMBLES) as error:
            raise TextError(f"not YAML: {type(error).__name__} while reading", "syntax", 1, 1) from None
        typed = _typed(event)
        if typed is not None:
            yield typed


def _typed(event: Json) -> YamlEvent | None:
    kind = _KINDS.get(event.__class__)
    if kind is None:
        return None
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    match kind:
        case "scalar":
            plain = event.tag is None and bool(event.implicit[0])
            return YamlEvent(kind, line, column, event.value, event.tag, event.anchor, plain)
        case "map" | "list":
            return YamlEvent(kind, line, column, tag=event.tag, anchor=event.anchor)
        case "alias":
            return YamlEvent(kind, line, column, value=event.anchor)
        case "end" | "document":
            return YamlEvent(kind, line, column)
        case _:
            assert_never(kind)


def _syntax_error(error: Json) -> TextError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return TextError(f"not YAML: {error.problem or error.context}", "syntax", line, column)


def _character_error(text: str, error: Json) -> TextError:
    line = text.count("\n", 0, error.position) + 1
    return TextError("not YAML: a character that is not allowed", "syntax", line, 1)
