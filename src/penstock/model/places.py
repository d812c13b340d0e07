"""Where each value of a document's text begins: a tree with the shape of the data."""

import msgspec

from penstock.model import pointers


class Place(msgspec.Struct):
    """A value's start and its key's start, 1-based. Aliased YAML nodes share the anchor's children."""

    line: int
    column: int
    key_line: int = 0
    key_column: int = 0
    children: "dict[str, Place] | list[Place] | None" = None

    def child(self, token: str) -> "Place | None":
        if isinstance(self.children, dict):
            return self.children.get(token)
        if isinstance(self.children, list) and token.isdecimal() and int(token) < len(self.children):
            return self.children[int(token)]
        return None


def find(root: Place, pointer: str) -> tuple[Place, bool]:
    """The place of `pointer` or of its nearest ancestor that exists, and whether it is the place itself."""
    place = root
    for token in pointers.tokens(pointer):
        below = place.child(token)
        if below is None:
            return place, False
        place = below
    return place, True
