"""YAML 1.2 text to data and places, built from the parser's events without recursion.

The parser's own constructors are not used: this one knows the core schema only (no dates, no `yes`), keeps
every key a text, and counts what aliases would expand to before anything is expanded.
"""

from typing import Final, assert_never

import msgspec

from penstock.model import yaml_scalars
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_NODES
from penstock.model.places import Place
from penstock.model.text_error import TextError
from penstock.model.yaml_events import YamlEvent, events_of

_COLLECTION_TAGS: Final = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Node(msgspec.Struct):
    """A value being built or done. The three measures count what it holds with every alias expanded."""

    value: Json
    place: Place
    nodes: int = 1
    size: int = 0
    height: int = 1
    key: str | None = None  # the key that waits for its value, in a mapping
    key_line: int = 0
    key_column: int = 0
    anchor: str | None = None


def parse(text: str) -> tuple[Json, Place]:
    """The data and the places of one YAML document; `TextError` when it is none, or beyond the limits."""
    builder = _Builder()
    for event in events_of(text):
        builder.take(event)
    return builder.result()


class _Builder:
    """Takes events in order and holds the path of open collections."""

    def __init__(self) -> None:
        self._open: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._root: _Node | None = None
        self._documents = 0

    def take(self, event: YamlEvent) -> None:
        match event.kind:
            case "document":
                self._documents += 1
                if self._documents > 1:
                    message = "a second document in one text"
                    raise TextError(message, "several-documents", event.line, event.column)
            case "scalar":
                self._scalar(event)
            case "map" | "list":
                self._start(event)
            case "end":
                node = self._open.pop()
                self._remember(node)
                self._add(node, (event.line, event.column))
            case "alias":
                self._alias(event)
            case _:
                assert_never(event.kind)

    def result(self) -> tuple[Json, Place]:
        if self._root is None:
            raise TextError("the document is empty", "empty", 1, 1)
        return self._root.value, self._root.place

    def _scalar(self, event: YamlEvent) -> None:
        line, column = event.line, event.column
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(parent, event, line, column)
            return
        value = yaml_scalars.value_of(event)
        node = _Node(value, Place(line, column), size=len(event.value), anchor=event.anchor)
        self._remember(node)
        self._add(node, (line, column))

    def _key(self, parent: _Node, event: YamlEvent, line: int, column: int) -> None:
        key = yaml_scalars.key_of(event)
        if key in parent.value:
            raise TextError(f"the key {key[:100]!r} stands twice in one map", "duplicate-key", line, column)
        parent.key, parent.key_line, parent.key_column = key, line, column
        if event.anchor is not None:
            self._remember(_Node(key, Place(line, column), size=len(key), anchor=event.anchor))

    def _start(self, event: YamlEvent) -> None:
        line, column = event.line, event.column
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise TextError("a map or a list cannot be a key", "key", line, column)
        if event.tag not in _COLLECTION_TAGS:
            raise TextError(f"the tag {event.tag!r} is not supported", "tag", line, column)
        if len(self._open) >= MAX_DOCUMENT_DEPTH:
            raise TextError(f"nested deeper than {MAX_DOCUMENT_DEPTH} levels", "too-deep", line, column)
        mapping = event.kind == "map"
        place = Place(line, column, children={} if mapping else [])
        self._open.append(_Node({} if mapping else [], place, anchor=event.anchor))

    def _alias(self, event: YamlEvent) -> None:
        line, column = event.line, event.column
        anchored = self._anchors.get(event.value)
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise TextError("an alias cannot be a key", "key", line, column)
        if anchored is None:
            raise TextError(f"the alias *{event.value[:40]} names no finished anchor", "alias", line, column)
        place = Place(line, column, children=anchored.place.children)
        node = _Node(anchored.value, place, anchored.nodes, anchored.size, anchored.height)
        if len(self._open) + node.height > MAX_DOCUMENT_DEPTH + 1:
            raise TextError(f"nested deeper than {MAX_DOCUMENT_DEPTH} levels", "too-deep", line, column)
        self._add(node, (line, column))

    def _remember(self, node: _Node) -> None:
        if node.anchor is not None:
            self._anchors[node.anchor] = node

    def _add(self, node: _Node, where: tuple[int, int]) -> None:
        """Puts a finished value into its parent; the parents' measures grow with it."""
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.nodes += node.nodes
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.nodes > MAX_DOCUMENT_NODES or parent.size > MAX_DOCUMENT_BYTES:
            raise TextError("the document is too large with its aliases expanded", "too-large", *where)
        if parent.key is not None:
            parent.value[parent.key] = node.value
            node.place.key_line, node.place.key_column = parent.key_line, parent.key_column
            if isinstance(parent.place.children, dict):
                parent.place.children[parent.key] = node.place
            parent.size += len(parent.key)
            parent.key = None
        else:
            parent.value.append(node.value)
            if isinstance(parent.place.children, list):
                parent.place.children.append(node.place)
