"""A runtime expression: its names, and how to evaluate it when it lies in the native subset.

Source: DSL reference "Runtime Expressions"; docs/adr/0003-jq-in-worker-processes.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from penstock.expressions.compiler import Run, compile_node
from penstock.expressions.errors import EmptyOutput, ExpressionError, NotNative
from penstock.expressions.growth import check_growth
from penstock.expressions.names import collect_names
from penstock.expressions.parser import parse
from penstock.expressions.tokens import Token, tokenize
from penstock.model import limits
from penstock.model.json_value import Json

SECRET_VARIABLES: Final = frozenset(("secrets", "secret", "authorization"))
"""Variables that hold credentials: the kernel never has their values."""

_WRAPPED: Final = re.compile(r"\s*\$\{(.+)\}\s*", re.DOTALL)
_EMBEDDED: Final = re.compile(r"\$\{.*\}", re.DOTALL)
_BARE_PATH: Final = re.compile(
    r"""\s*(?:\.[A-Za-z_]\w*|\$(?:context|input|output|secrets?|authorization|task|workflow|runtime)\b)"""
    r"""(?:\.[A-Za-z_]\w*|\[(?:-?\d+|"[^"]*")\])*\s*"""
)


@dataclass(frozen=True, slots=True)
class Expression:
    """jq text, compiled once.

    `names` are the variables that it names, without `$`; `__now` (seconds since the epoch) is among them when
    it calls `now`. It may hold names that the text binds itself; whoever evaluates passes those it has.
    `native` says that `evaluate` works; any other expression goes to a worker process.
    `loose` (mode *loose* only) says that a failure means the literal text, not an error.
    """

    text: str
    names: frozenset[str]
    native: bool
    uses_secrets: bool
    loose: bool = False
    _run: Run | None = field(default=None, repr=False, compare=False)

    def evaluate(self, dot: Json, variables: Mapping[str, Json]) -> Json:
        """The first output, None when there is none. Native expressions only; pure and linear in its inputs.

        The result may share structure with the inputs, and neither may be changed afterwards.
        Raises `ExpressionError`, and nothing else for any JSON values.
        """
        run = self._run
        if run is None:
            raise ExpressionError("this expression can only be evaluated by a worker")
        try:
            return run(dot, variables)
        except EmptyOutput:
            return None
        except RecursionError:
            raise ExpressionError("the value is nested too deeply") from None

    def as_loose(self) -> "Expression":
        """The same expression, marked `loose`."""
        return replace(self, loose=True)


@lru_cache(maxsize=limits.MAX_COMPILED_EXPRESSIONS)
def compile_expression(text: str) -> Expression:
    """Compile jq text (without the `${ }` around it).

    Raises `ExpressionError`, with a position where there is one, only for what is surely wrong or forbidden:
    empty, too long, unbalanced, or a forbidden name. Whatever is outside the native subset is left to a
    worker, which says so when it is not valid jq.
    """
    if len(text.encode("utf-8", "surrogatepass")) > limits.MAX_EXPRESSION_BYTES:
        raise ExpressionError(f"is longer than {limits.MAX_EXPRESSION_BYTES} bytes")
    tokens = tokenize(text)
    if not tokens:
        raise ExpressionError("is empty", 0)
    names = collect_names(tokens)
    run = _compile_native(tokens)
    return Expression(
        text=text.strip(),
        names=names.variables,
        native=run is not None,
        uses_secrets=not SECRET_VARIABLES.isdisjoint(names.variables),
        _run=run,
    )


def _compile_native(tokens: tuple[Token, ...]) -> Run | None:
    try:
        node = parse(tokens)
        check_growth(node)
        return compile_node(node)
    except NotNative:
        return None


def strip_wrapper(text: str) -> str | None:
    """`"${ .a }"` → `".a"`; None when the string is not one expression. Line breaks are allowed inside."""
    match = _WRAPPED.fullmatch(text)
    return None if match is None else match.group(1).strip()


def looks_like_expression(text: str) -> bool:
    """Whether a literal string in a value position was probably meant as an expression (for warnings).

    True for `text ${ .x }` (the DSL knows no embedded expressions), bare paths `.a.b` and `$context.x`.
    """
    if strip_wrapper(text) is not None:
        return False
    return _EMBEDDED.search(text) is not None or _BARE_PATH.fullmatch(text) is not None
