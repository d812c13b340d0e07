"""Keeps the native subset linear: bounds, from the text alone, how much a result can outgrow its input.

`[., .] | [., .] | …` and `. + . | . + . | …` double at every stage, so that a short text could make an
exponential value. An expression whose bound exceeds `limits.MAX_NATIVE_GROWTH` is not native; in a worker the
limits on time, memory and bytes hold instead.

A bound is (factor, constant): a result is at most factor * (size of the input and all variables) + constant.
"""

from typing import Final, NamedTuple, TypeAlias, assert_never

from penstock.expressions import nodes
from penstock.expressions.errors import NotNative
from penstock.expressions.functions import CHEAP_FUNCTIONS
from penstock.expressions.nodes import Node, children
from penstock.expressions.operators import IN_MAP
from penstock.model import limits


class Bound(NamedTuple):
    """The size of a result: `factor` times the inputs, plus `constant` bytes."""

    factor: int
    constant: int


_NOTHING: Final = Bound(0, 0)
_SCALAR: Final = Bound(0, 32)
_WHOLE: Final = Bound(1, 0)
_ESCAPED: Final = 6  # one character of a string, escaped as \u00XX
_ENTRY: Final = 13  # an entry of `to_entries`: an element of 2 bytes becomes `{"key":0,"value":1},` and more
_MAX_NODE_DEPTH: Final = 150
_ESCAPING: Final = frozenset(("tojson", "tostring", "join"))
_SAME_SIZE: Final = frozenset(
    (
        *("tonumber", "ascii_upcase", "ascii_downcase", "ltrimstr", "rtrimstr", "add"),
        *("min", "max", "sort", "unique", "reverse", "first", "last", "select"),
    )
)


def check_growth(node: Node) -> None:
    """Raise `NotNative` when `node` could grow its input too much, or nests too deeply."""
    bound = _bound(node, 0)
    if bound.factor > limits.MAX_NATIVE_GROWTH or bound.constant > limits.MAX_VALUE_BYTES:
        raise NotNative


_Nodes: TypeAlias = "tuple[Node, ...]"


def _sum(items: _Nodes, depth: int) -> Bound:
    factor = constant = 0
    for item in items:
        bound = _bound(item, depth)
        factor += bound.factor
        constant += bound.constant + 2
    return Bound(factor, constant)


def _bound(node: Node, depth: int) -> Bound:  # noqa: C901 - one arm per node
    if depth > _MAX_NODE_DEPTH:
        raise NotNative
    depth += 1
    match node:
        case nodes.Dot() | nodes.Variable():
            return _WHOLE
        case nodes.Literal(value):
            return Bound(0, len(value) + 2 if isinstance(value, str) else 24)
        case nodes.Index(target, key):
            _bound(key, depth)
            return _bound(target, depth)
        case nodes.Slice(target, start, end):
            _sum(tuple(bound for bound in (start, end) if bound is not None), depth)
            return _bound(target, depth)
        case nodes.Optional(body) | nodes.Negate(body):
            return _bound(body, depth)
        case nodes.Pipe(left, right):
            return _after(_bound(left, depth), _bound(right, depth))
        case nodes.Binary(operator, left, right):
            return _binary(operator, left, right, depth)
        case nodes.Logic(_, left, right):
            _sum((left, right), depth)
            return _SCALAR
        case nodes.Alternative(left, right):
            return _sum((left, right), depth)
        case nodes.If(condition, yes, no):
            _bound(condition, depth)
            return _sum((yes, no), depth)
        case nodes.Array(items):
            return _sum(items, depth)
        case nodes.Object(pairs):
            return _sum(tuple(part for pair in pairs for part in pair), depth)
        case nodes.Interpolation(parts):
            texts = sum(len(part) for part in parts if isinstance(part, str))
            inner = _sum(tuple(part for part in parts if not isinstance(part, str)), depth)
            return Bound(inner.factor * _ESCAPED, inner.constant * _ESCAPED + texts)
        case nodes.Call(name, arguments):
            return _call(name, arguments, depth)
        case _:
            assert_never(node)


def _after(first: Bound, second: Bound) -> Bound:
    """`first | second`: the result of the first is the input of the second, whose variables stay."""
    return Bound(second.factor * max(first.factor, 1), second.factor * first.constant + second.constant)


def _binary(operator: str, left: Node, right: Node, depth: int) -> Bound:
    both = _sum((left, right), depth)
    match operator:
        case "+":
            return both
        case "-":
            return _bound(left, depth)
        case "*":
            return Bound(both.factor, both.constant + 24)
        case _ if operator.startswith(IN_MAP):
            return Bound(both.factor, both.constant + 24)
        case "/":
            return Bound(both.factor * 3, both.constant * 3)
        case _:
            return _SCALAR


def _call(name: str, arguments: _Nodes, depth: int) -> Bound:
    given = _sum(arguments, depth)
    match name:
        case "map":
            _check_body(arguments[0])
            return Bound(given.factor + given.constant, given.constant)
        case "split":
            return Bound(3, 2)
        case "keys":
            return Bound(8, 2)
        case "to_entries":
            return Bound(_ENTRY, 2)
        case "error":
            return _NOTHING
        case _ if name in _ESCAPING:
            return Bound(_ESCAPED, 2)
        case _ if name in _SAME_SIZE:
            return _WHOLE
        case _:
            return _SCALAR


def _check_body(node: Node) -> None:
    """The body of a `map` runs once per element: it may only look at its element, at no great cost."""
    if isinstance(node, (nodes.Variable, nodes.Interpolation)):
        raise NotNative
    if isinstance(node, nodes.Call) and node.name not in CHEAP_FUNCTIONS:
        raise NotNative
    for child in children(node):
        _check_body(child)
