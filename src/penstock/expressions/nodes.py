"""The syntax tree of the native subset: a closed union of frozen nodes, each with at most one output."""

from collections.abc import Iterator
from typing import TypeAlias, cast

import msgspec

from penstock.model.json_value import Json


class Dot(msgspec.Struct, frozen=True):
    """The input, `.`."""


class Literal(msgspec.Struct, frozen=True):
    """A number, string, `true`, `false` or `null`."""

    value: Json


class Variable(msgspec.Struct, frozen=True):
    """`$name`."""

    name: str


class Index(msgspec.Struct, frozen=True):
    """`target[key]`; the key is evaluated on the input of the whole, not on the target."""

    target: "Node"
    key: "Node"


class Slice(msgspec.Struct, frozen=True):
    """`target[start:end]`."""

    target: "Node"
    start: "Node | None"
    end: "Node | None"


class Optional(msgspec.Struct, frozen=True):
    """`body?`: no output where the body fails."""

    body: "Node"


class Negate(msgspec.Struct, frozen=True):
    """`-body`."""

    body: "Node"


class Pipe(msgspec.Struct, frozen=True):
    """`left | right`."""

    left: "Node"
    right: "Node"


class Binary(msgspec.Struct, frozen=True):
    """An arithmetic operator or a comparison; the right side is evaluated first, as libjq does."""

    operator: str
    left: "Node"
    right: "Node"


class Logic(msgspec.Struct, frozen=True):
    """`and` (`conjunction`) or `or`."""

    conjunction: bool
    left: "Node"
    right: "Node"


class Alternative(msgspec.Struct, frozen=True):
    """`left // right`."""

    left: "Node"
    right: "Node"


class If(msgspec.Struct, frozen=True):
    """`if condition then yes else no end`."""

    condition: "Node"
    yes: "Node"
    no: "Node"


class Array(msgspec.Struct, frozen=True):
    """`[a, b]`; items without output are left out."""

    items: "tuple[Node, ...]"


class Object(msgspec.Struct, frozen=True):
    """`{key: value}`, in the order of the text."""

    pairs: "tuple[tuple[Node, Node], ...]"


class Interpolation(msgspec.Struct, frozen=True):
    """A string with `\\( )` in it; the parts are evaluated from the last to the first."""

    parts: "tuple[str | Node, ...]"


class Call(msgspec.Struct, frozen=True):
    """A function of the native table with its arguments."""

    name: str
    arguments: "tuple[Node, ...]"


def children(node: "Node") -> "Iterator[Node]":
    """The nodes directly below, in the order of the text."""
    below: list[Json] = [msgspec.structs.astuple(node)]
    while below:
        for part in below.pop():
            if isinstance(part, tuple):
                below.append(part)
            elif isinstance(part, msgspec.Struct):
                yield cast("Node", part)


Node: TypeAlias = (
    Dot
    | Literal
    | Variable
    | Index
    | Slice
    | Optional
    | Negate
    | Pipe
    | Binary
    | Logic
    | Alternative
    | If
    | Array
    | Object
    | Interpolation
    | Call
)
