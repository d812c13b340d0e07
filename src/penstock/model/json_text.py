"""JSON text: a fast parse to data; positions are computed only when someone asks for one."""

import json
import re
from collections.abc import Iterator
from typing import Final

from penstock.model import plain_data
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DOCUMENT_DEPTH
from penstock.model.places import Place, find
from penstock.model.text_error import TextError

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class NotJsonError(Exception):
    """The text is not JSON; it may still be YAML."""

    def __init__(self, problem: TextError) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _DuplicateKeyError(Exception):
    pass


class _ConstantError(Exception):
    """A constant that JSON does not have."""


def parse(text: str) -> Json:
    """The data; `NotJsonError` when the syntax is not JSON's, `TextError` when a document may not hold it."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise NotJsonError(TextError(message, "syntax", error.lineno, error.colno)) from None
    except _DuplicateKeyError as error:
        line, column = _duplicate_place(text)
        raise TextError(
            f"the key {str(error)[:100]!r} stands twice in one object", "duplicate-key", line, column
        ) from None
    except _ConstantError as error:
        raise TextError(f"{error} is not a JSON number", "value", 1, 1) from None
    except RecursionError:
        raise TextError(f"nested deeper than {MAX_DOCUMENT_DEPTH} levels", "too-deep", 1, 1) from None
    except ValueError:  # more digits than Python converts
        raise TextError("an integer does not fit in 64 bits", "value", 1, 1) from None
    problem = plain_data.problem_of(data)
    if problem is not None:
        place, _ = (Place(1, 1), True) if problem.code == "too-deep" else find(places_of(text), problem.pointer)
        raise TextError(problem.message, problem.code, place.line, place.column)
    return data


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return members


def _refuse_constant(name: str) -> Json:
    raise _ConstantError(name)


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    line, line_start, position = 1, 0, 0
    for match in _TOKEN.finditer(text):
        newlines = text.count("\n", position, match.start())
        if newlines:
            line += newlines
            line_start = text.rfind("\n", position, match.start()) + 1
        position = match.start()
        yield match.group(), line, match.start() - line_start + 1


def places_of(text: str) -> Place:
    """The places of a text that `parse` accepted."""
    return _scan(text, stop_at_duplicate=False)


def _duplicate_place(text: str) -> tuple[int, int]:
    place = _scan(text, stop_at_duplicate=True)
    return place.line, place.column


def _scan(text: str, *, stop_at_duplicate: bool) -> Place:
    """One pass over the tokens, with its own stack; the place of the first duplicate key when asked for."""
    root = Place(1, 1)
    open_places: list[Place] = []
    key: tuple[str, int, int] | None = None
    for lexeme, line, column in _tokens(text):
        if lexeme in "]}":
            open_places.pop()
        elif lexeme in ",:":
            continue
        elif open_places and isinstance(open_places[-1].children, dict) and key is None:
            key = (json.loads(lexeme, strict=False), line, column)
            if stop_at_duplicate and key[0] in open_places[-1].children:
                return Place(line, column)
        else:
            place = Place(line, column, *(key[1:] if key else (0, 0)))
            place.children = {} if lexeme == "{" else [] if lexeme == "[" else None
            if not open_places:
                root = place
            else:
                _attach(open_places[-1], key[0] if key else None, place)
            key = None
            if lexeme in "{[":
                open_places.append(place)
    return root


def _attach(parent: Place, key: str | None, place: Place) -> None:
    if isinstance(parent.children, dict) and key is not None:
        parent.children[key] = place
    elif isinstance(parent.children, list):
        parent.children.append(place)
