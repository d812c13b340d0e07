"""The native subset is libjq, for generated expressions and inputs: the same value, or an error on both."""

import os

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from penstock.expressions import ExpressionError, compile_expression
from penstock.expressions.functions import FUNCTIONS
from penstock.expressions.ordering import equal
from penstock.model.json_value import Json
from tests.expressions.jq_oracle import Failed, jq_first

EXAMPLES = int(os.environ.get("PENSTOCK_JQ_EXAMPLES", "300"))

# Where both tiers are exact: integers below 2**53, doubles without an exponent in their text. No integers
# between small and large, so that a repeated string is small or too long for both.
numbers = st.one_of(
    st.integers(-12, 12),
    st.integers(2**34, 2**50).flatmap(lambda large: st.sampled_from([large, -large])),
    st.sampled_from([0.5, -1.5, 2.25, 1.0, -3.0, 1e3, 0.1]),
)
texts = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "abab", "a,b", "é😀", "A", "1", "-2.5", "007", '\x7f\n"\\', " a "]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
keys = st.sampled_from(["a", "b", "c", "start", "end", "if", "ä"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)


def _literal(value: Json) -> str:
    match value:
        case str():
            escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 32 else c for c in value)
            return f'"{escaped}"'
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return str(value) if value >= 0 else f"({value})"


literals = scalars.map(_literal)
names = st.sampled_from(["a", "b", "c"])
functions = st.sampled_from(sorted(name for name, count in FUNCTIONS if count == 0))
with_argument = st.sampled_from([*sorted(name for name, count in FUNCTIONS if count == 1), "select", "error"])
operators = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, names).map(lambda p: f"({p[0]}).{p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]})[{p[1]}:{p[2]}]"),
        st.tuples(inner, st.integers(-3, 3)).map(lambda p: f"({p[0]})[{p[1]}:]"),
        inner.map(lambda p: f"({p})?"),
        st.tuples(inner, names, names).map(lambda p: f"({p[0]}).{p[1]}.{p[2]}?"),
        st.tuples(inner, names, inner).map(lambda p: f"({p[0]}).{p[1]}[{p[2]}]?"),
        st.tuples(inner, names, names).map(lambda p: f'({p[0]}).{p[1]}?["{p[2]}"]?'),
        inner.map(lambda p: f"-({p})"),
        st.tuples(inner, operators, inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, operators, inner, operators, inner).map(" ".join).map(lambda p: f"({p})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} | {p[1]})"),
        st.lists(inner, max_size=3).map(lambda p: "[" + ", ".join(p) + "]"),
        st.lists(st.tuples(names, inner), max_size=3).map(lambda p: "{" + ", ".join(f"{k}: {v}" for k, v in p) + "}"),
        st.tuples(inner, inner, names).map(lambda p: f"{{({p[0]}): {p[1]}, {p[2]}, $x}}"),
        st.tuples(inner, inner).map(lambda p: f'"<\\({p[0]})|\\({p[1]})>"'),
        st.tuples(inner, inner, inner).map(lambda p: f"(if {p[0]} then {p[1]} else {p[2]} end)"),
        st.tuples(inner, inner).map(lambda p: f"(if {p[0]} then {p[1]} end)"),
        st.tuples(inner, functions).map(lambda p: f"({p[0]} | {p[1]})"),
        st.tuples(inner, with_argument, inner).map(lambda p: f"({p[0]} | {p[1]}({p[2]}))"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} | map({p[1]}))"),
    )


leaves = st.one_of(
    st.sampled_from([".", ".a", ".b", ".a.b", ".[0]", ".[-1]", '.["a"]', ".a?", ".[1:]", "$x", "$x.a", "$y", "empty"]),
    literals,
)
expressions = st.recursive(leaves, _grow, max_leaves=6)


def native(text: str, dot: Json, variables: dict[str, Json]) -> "Json | Failed":
    try:
        return compile_expression(text).evaluate(dot, variables)
    except ExpressionError as error:
        return Failed(error.message)


def _is_beyond_both(value: Json) -> bool:
    """Results where the tiers differ by definition: numbers that doubles do not hold exactly."""
    match value:
        case bool() | None | str():
            return False
        case int() | float():
            return abs(value) >= 2**53
        case list():
            return any(map(_is_beyond_both, value))
        case _:
            return any(map(_is_beyond_both, value.values()))


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, values, st.fixed_dictionaries({"x": values, "y": values}))
@example("$x | reverse", None, {"x": "", "y": 0})
@example("({((. | false)): 1})?", None, {"x": 1, "y": 1})
@example("({(null): 1})?", None, {"x": 1, "y": 1})
@example(".[$x]", [False, True], {"x": -1.5, "y": 1})
@example(".[.]", [], {"x": 1, "y": 1})
@example(".a.b?", 1, {"x": 1, "y": 1})
@example("(.a.b)?", 1, {"x": 1, "y": 1})
@example('"\\(-(3.0))"', None, {"x": 1, "y": 1})
@example("has($x)", [1], {"x": -0.5, "y": 1})
def test_a_native_expression_gives_what_libjq_gives(text: str, dot: Json, variables: dict[str, Json]) -> None:
    expression = compile_expression(text)
    if not expression.native:
        return
    ours, theirs = native(text, dot, variables), jq_first(text, dot, variables)
    if isinstance(ours, Failed) and ("finite" in ours.message or "longer than" in ours.message):
        return
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        assert isinstance(ours, Failed) and isinstance(theirs, Failed), (text, ours, theirs)
    elif not (_is_beyond_both(ours) or _is_beyond_both(theirs)):
        assert equal(ours, theirs), (text, ours, theirs)
