"""A JSON structure of a definition with expressions inside.

Only the definition's own text is ever evaluated, once: a value that an expression returns is data, whatever
it looks like (DSL reference, "Runtime Expressions"; evaluation of expressions found in data is forbidden).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from penstock.expressions.errors import ExpressionError
from penstock.expressions.expression import Expression, compile_expression, strip_wrapper
from penstock.model.json_value import Json

Mode: TypeAlias = Literal["strict", "loose"]
_Build: TypeAlias = Callable[[Json, Mapping[str, Json], Mapping[str, Json]], Json]


@dataclass(frozen=True, slots=True)
class Template:
    """Compiled once. `expressions` are (JSON Pointer inside the structure, expression) in document order."""

    expressions: tuple[tuple[str, Expression], ...]
    names: frozenset[str]
    uses_secrets: bool
    constant: bool
    _build: _Build = field(repr=False, compare=False)

    def needs(self) -> tuple[tuple[str, Expression], ...]:
        """The expressions that only a worker can evaluate."""
        return tuple((pointer, found) for pointer, found in self.expressions if not found.native)

    def build(self, dot: Json, variables: Mapping[str, Json], answers: Mapping[str, Json]) -> Json:
        """The structure with every expression replaced by its value.

        `answers` maps the pointer of each of `needs()` to its value, and of any that uses secrets; leave out
        a `loose` one that failed, and its literal text stands. Literals are shared with the definition: never
        change the result.
        Raises `ExpressionError`, whose message names the pointer when that is not the whole.
        """
        return self._build(dot, variables, answers)


def compile_template(value: Json, *, mode: Mode = "strict", bare: bool = False) -> Template:
    """Compile a structure of a definition.

    `strict`: only strings that are wholly `${ … }` are expressions. `bare`: a string at the top is an
    expression with or without the wrapper (`if`, `when`, `from`, `as` …); strings inside follow `strict`.
    `loose`: every string is tried, and stands for itself when it does not compile or fails.
    Raises `ExpressionError`, naming the pointer, for an expression that does not compile.
    """
    compiler = _Compiler(mode)
    build = compiler.build(value, "", bare)
    found = tuple(compiler.found)
    return Template(
        expressions=found,
        names=frozenset[str]().union(*(expression.names for _, expression in found)),
        uses_secrets=any(expression.uses_secrets for _, expression in found),
        constant=not found,
        _build=build if build is not None else _constant(value),
    )


class _Compiler:
    def __init__(self, mode: Mode) -> None:
        self._loose = mode == "loose"
        self.found: list[tuple[str, Expression]] = []

    def build(self, value: Json, pointer: str, bare: bool = False) -> _Build | None:
        """How to build `value`, None when there is no expression in it."""
        match value:
            case str():
                return self._string(value, pointer, bare)
            case list():
                items = cast("list[Json]", value)
                return _array([self.build(item, f"{pointer}/{i}") for i, item in enumerate(items)], items)
            case dict():
                members = cast("dict[str, Json]", value)
                builds = {key: self.build(item, f"{pointer}/{_escape(key)}") for key, item in members.items()}
                return _object(builds, members)
            case _:
                return None

    def _string(self, text: str, pointer: str, bare: bool) -> _Build | None:
        inner = strip_wrapper(text)
        if inner is None and not (bare or self._loose):
            return None
        try:
            expression = compile_expression(text if inner is None else inner)
        except ExpressionError as error:
            if self._loose:
                return None
            raise _at(pointer, error) from None
        if self._loose:
            expression = expression.as_loose()
        self.found.append((pointer, expression))
        build = _native if expression.native else _answered
        return build(expression, pointer, text)


def _constant(value: Json) -> _Build:
    return lambda dot, variables, answers: value


def _native(expression: Expression, pointer: str, text: str) -> _Build:
    evaluate, loose, secret = expression.evaluate, expression.loose, expression.uses_secrets

    def build(dot: Json, variables: Mapping[str, Json], answers: Mapping[str, Json]) -> Json:
        if secret and pointer in answers:
            return answers[pointer]
        try:
            return evaluate(dot, variables)
        except ExpressionError as error:
            if loose:
                return text
            raise _at(pointer, error) from None

    return build


def _answered(expression: Expression, pointer: str, text: str) -> _Build:
    def build(dot: Json, variables: Mapping[str, Json], answers: Mapping[str, Json]) -> Json:
        if pointer in answers:
            return answers[pointer]
        if expression.loose:
            return text
        raise _at(pointer, ExpressionError("has no answer from a worker"))

    return build


def _array(builds: list[_Build | None], items: list[Json]) -> _Build | None:
    if not any(builds):
        return None
    parts = [build or _constant(item) for build, item in zip(builds, items, strict=True)]
    return lambda dot, variables, answers: [part(dot, variables, answers) for part in parts]


def _object(builds: dict[str, _Build | None], members: dict[str, Json]) -> _Build | None:
    living = {key: build for key, build in builds.items() if build is not None}
    if not living:
        return None
    pairs = tuple(living.items())

    def build(dot: Json, variables: Mapping[str, Json], answers: Mapping[str, Json]) -> Json:
        result = members.copy()
        for key, part in pairs:
            result[key] = part(dot, variables, answers)
        return result

    return build


def _at(pointer: str, error: ExpressionError) -> ExpressionError:
    if not pointer:
        return error
    return ExpressionError(f"{pointer}: {error.message}", error.position)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
