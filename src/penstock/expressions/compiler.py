"""From syntax tree to closures: `(dot, variables) -> value`, raising `ExpressionError` or `EmptyOutput`.

The order in which operands are evaluated is libjq's, because it decides whether an error or an empty
output wins. Paths of plain names, the common case, become one closure without recursion.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, assert_never

from penstock.expressions import nodes
from penstock.expressions.errors import EmptyOutput, ExpressionError
from penstock.expressions.functions import FUNCTIONS, elements, truthy
from penstock.expressions.kinds import type_of
from penstock.expressions.names import NOW_VARIABLE
from penstock.expressions.nodes import Node
from penstock.expressions.operators import ARITHMETIC, negate
from penstock.expressions.ordering import equal, less
from penstock.expressions.paths import cut, index
from penstock.expressions.text import to_text
from penstock.model.json_value import Json

Run: TypeAlias = Callable[[Json, Mapping[str, Json]], Json]


def compile_node(node: Node) -> Run:  # noqa: C901 - one arm per node
    """The closure of a tree."""
    match node:
        case nodes.Dot():
            return lambda dot, variables: dot
        case nodes.Literal(value):
            return lambda dot, variables: value
        case nodes.Variable(name):
            return _variable(name)
        case nodes.Index(target, key):
            return _index(target, key)
        case nodes.Slice(target, start, end):
            return _slice(target, start, end)
        case nodes.Optional(body):
            return _optional(compile_node(body))
        case nodes.Negate(body):
            run = compile_node(body)
            return lambda dot, variables: negate(run(dot, variables))
        case nodes.Pipe(left, right):
            return _pipe(compile_node(left), compile_node(right))
        case nodes.Binary(operator, left, right):
            return _binary(operator, compile_node(left), compile_node(right))
        case nodes.Logic(conjunction, left, right):
            return _logic(conjunction, compile_node(left), compile_node(right))
        case nodes.Alternative(left, right):
            return _alternative(compile_node(left), compile_node(right))
        case nodes.If(condition, yes, no):
            return _if(compile_node(condition), compile_node(yes), compile_node(no))
        case nodes.Array(items):
            return _array(tuple(map(compile_node, items)))
        case nodes.Object(pairs):
            return _object(pairs)
        case nodes.Interpolation(parts):
            return _interpolation(parts)
        case nodes.Call(name, arguments):
            return _call(name, arguments)
        case _:
            assert_never(node)


def _variable(name: str) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        try:
            return variables[name]
        except KeyError:
            raise ExpressionError(f"${name} is not defined here") from None

    return run


def _index(target: Node, key: Node) -> Run:
    path: list[str] = []
    base: Node = nodes.Index(target, key)
    while isinstance(base, nodes.Index) and (name := _text(base.key)) is not None:
        path.append(name)
        base = base.target
    if path:
        return _path(base, tuple(reversed(path)))
    run_key, run_target = compile_node(key), compile_node(target)

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        wanted = run_key(dot, variables)
        return index(run_target(dot, variables), wanted)

    return run


def _text(node: Node) -> str | None:
    """The string that a literal is."""
    return node.value if isinstance(node, nodes.Literal) and isinstance(node.value, str) else None


def _path(base: Node, path: tuple[str, ...]) -> Run:
    if not isinstance(base, nodes.Dot):
        return _path_from(compile_node(base), path)
    if len(path) == 1:
        return _field(path[0])

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        value = dot
        for key in path:
            value = value.get(key) if type_of(value) is dict else index(value, key)
        return value

    return run


def _field(key: str) -> Run:
    return lambda dot, variables: dot.get(key) if type_of(dot) is dict else index(dot, key)


def _path_from(start: Run, path: tuple[str, ...]) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        value = start(dot, variables)
        for key in path:
            value = value.get(key) if type_of(value) is dict else index(value, key)
        return value

    return run


def _slice(target: Node, start: Node | None, end: Node | None) -> Run:
    run_target = compile_node(target)
    run_start = compile_node(start if start is not None else nodes.Literal(None))
    run_end = compile_node(end if end is not None else nodes.Literal(None))

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        first, last = run_start(dot, variables), run_end(dot, variables)
        return cut(run_target(dot, variables), first, last)

    return run


def _optional(body: Run) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        try:
            return body(dot, variables)
        except ExpressionError:
            raise EmptyOutput from None

    return run


def _pipe(left: Run, right: Run) -> Run:
    return lambda dot, variables: right(left(dot, variables), variables)


def _binary(operator: str, left: Run, right: Run) -> Run:
    apply = ARITHMETIC[operator] if operator in ARITHMETIC else _COMPARISONS[operator]

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        second = right(dot, variables)
        return apply(left(dot, variables), second)

    return run


_COMPARISONS: Final[Mapping[str, Callable[[Json, Json], Json]]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    "<=": lambda left, right: not less(right, left),
    ">": lambda left, right: less(right, left),
    ">=": lambda left, right: not less(left, right),
}


def _logic(conjunction: bool, left: Run, right: Run) -> Run:
    if conjunction:
        return lambda dot, variables: truthy(left(dot, variables)) and truthy(right(dot, variables))
    return lambda dot, variables: truthy(left(dot, variables)) or truthy(right(dot, variables))


def _alternative(left: Run, right: Run) -> Run:
    """As in libjq, an error on the left is an error; no output, `null` and `false` mean the right side."""

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        try:
            value = left(dot, variables)
        except EmptyOutput:
            return right(dot, variables)
        return value if value is not None and value is not False else right(dot, variables)

    return run


def _if(condition: Run, yes: Run, no: Run) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        return yes(dot, variables) if truthy(condition(dot, variables)) else no(dot, variables)

    return run


def _array(items: tuple[Run, ...]) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        result: list[Json] = []
        for item in items:
            try:
                result.append(item(dot, variables))
            except EmptyOutput:
                continue
        return result

    return run


def _object(pairs: tuple[tuple[Node, Node], ...]) -> Run:
    plain = tuple((name, compile_node(item)) for key, item in pairs if (name := _text(key)) is not None)
    if len(plain) == len(pairs):
        return lambda dot, variables: {key: item(dot, variables) for key, item in plain}
    compiled = tuple((compile_node(key), compile_node(item)) for key, item in pairs)

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        result: dict[str, Json] = {}
        for run_key, run_item in compiled:
            key = run_key(dot, variables)
            item = run_item(dot, variables)
            if not isinstance(key, str):
                raise ExpressionError("an object's key must be a string")
            result[key] = item
        return result

    return run


def _interpolation(parts: "tuple[str | Node, ...]") -> Run:
    compiled = tuple(part if isinstance(part, str) else compile_node(part) for part in reversed(parts))

    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        texts = [part if isinstance(part, str) else to_text(part(dot, variables)) for part in compiled]
        texts.reverse()
        return "".join(texts)

    return run


def _call(name: str, arguments: tuple[Node, ...]) -> Run:
    match name:
        case "select":
            return _select(compile_node(arguments[0]))
        case "map":
            return _map(compile_node(arguments[0]))
        case "empty":
            return _empty
        case "error":
            return _error(compile_node(arguments[0]))
        case "now":
            return _variable(NOW_VARIABLE)
        case _:
            return _function(name, tuple(map(compile_node, arguments)))


def _function(name: str, arguments: tuple[Run, ...]) -> Run:
    function = FUNCTIONS[name, len(arguments)]
    if not arguments:
        return lambda dot, variables: function(dot)
    (argument,) = arguments
    return lambda dot, variables: function(dot, argument(dot, variables))


def _select(condition: Run) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        if truthy(condition(dot, variables)):
            return dot
        raise EmptyOutput

    return run


def _map(body: Run) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        result: list[Json] = []
        for item in elements(dot):
            try:
                result.append(body(item, variables))
            except EmptyOutput:
                continue
        return result

    return run


def _empty(dot: Json, variables: Mapping[str, Json]) -> Json:
    raise EmptyOutput


def _error(message: Run) -> Run:
    def run(dot: Json, variables: Mapping[str, Json]) -> Json:
        raise ExpressionError(to_text(message(dot, variables)))

    return run
