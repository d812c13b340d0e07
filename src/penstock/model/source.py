"""Reads the text of a document (YAML 1.2 or JSON) to plain data, and knows where each value stands.

Reading is total under limits: whatever the text, it ends with data or with one `UnreadableDocument`; never
with a recursion error, and never after expanding more than the limits allow.
"""

from collections.abc import Callable

from penstock.errors import Unprocessable
from penstock.model import json_text, places, plain_data, yaml_text
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DOCUMENT_BYTES
from penstock.model.places import Place
from penstock.model.text_error import TextError


class UnreadableDocument(Unprocessable):
    """The text is no document: broken YAML or JSON, or beyond a limit. `line` and `column` count from 1."""

    title = "Unreadable document"

    def __init__(self, message: str, code: str, line: int, column: int) -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.column = column


class Source:
    """A document's data with the positions of its text; positions are (0, 0) for data without a text."""

    def __init__(self, data: Json, name: str, find_places: Callable[[], Place] | None) -> None:
        self.data = data
        self.name = name
        self._find_places = find_places
        self._root: Place | None = None

    def locate(self, pointer: str) -> tuple[int, int]:
        """Line and column of the value, or of its nearest ancestor when there is none."""
        root = self._places()
        if root is None:
            return (0, 0)
        place, _ = places.find(root, pointer)
        return (place.line, place.column)

    def locate_key(self, pointer: str) -> tuple[int, int]:
        """Line and column of the key under which the value stands; of the value itself in a list."""
        root = self._places()
        if root is None:
            return (0, 0)
        place, exact = places.find(root, pointer)
        return (place.key_line, place.key_column) if exact and place.key_line else (place.line, place.column)

    def _places(self) -> Place | None:
        if self._root is None and self._find_places is not None:
            self._root = self._find_places()
        return self._root


def read_source(text: str | bytes, *, name: str = "<document>") -> Source:
    """The data of a YAML 1.2 (core schema) or JSON text, with positions.

    Keys are always texts (`on` stays `on`); dates stay texts. Refused with `UnreadableDocument`: duplicate
    keys, merge keys, tags beyond the core schema, several documents, aliases that expand beyond the limits,
    integers beyond 64 bits, NaN and infinities.
    """
    decoded = _decode(text)
    try:
        if decoded.lstrip()[:1] == "{":
            return _read_braces(decoded, name)
        return _read_yaml(decoded, name)
    except TextError as error:
        raise UnreadableDocument(error.message, error.code, error.line, error.column) from None


def source_of_data(data: Json, *, name: str = "<data>") -> Source:
    """A source for data that has no text; refuses what is not JSON, or beyond the limits."""
    problem = plain_data.problem_of(data)
    if problem is not None:
        raise UnreadableDocument(f"{problem.message} (at {problem.pointer or '/'})", problem.code, 0, 0)
    return Source(data, name, None)


def _decode(text: str | bytes) -> str:
    if len(text) > MAX_DOCUMENT_BYTES:
        raise UnreadableDocument(f"the document is larger than {MAX_DOCUMENT_BYTES} bytes", "too-large", 1, 1)
    if isinstance(text, str):
        return _checked(text)
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise UnreadableDocument("the document is not UTF-8", "encoding", line, 1) from None


def _checked(text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise UnreadableDocument("the document holds half of a surrogate pair", "encoding", line, 1) from None
    if size > MAX_DOCUMENT_BYTES:
        raise UnreadableDocument(f"the document is larger than {MAX_DOCUMENT_BYTES} bytes", "too-large", 1, 1)
    return text.removeprefix("\ufeff")


def _read_braces(text: str, name: str) -> Source:
    """JSON, or YAML in flow style, which also begins with a brace; a mistake is told in terms of JSON."""
    try:
        data = json_text.parse(text)
    except json_text.NotJsonError as error:
        try:
            return _read_yaml(text, name)
        except TextError:
            raise error.problem from None
    return Source(data, name, lambda: json_text.places_of(text))


def _read_yaml(text: str, name: str) -> Source:
    data, root = yaml_text.parse(text)
    return Source(data, name, lambda: root)
