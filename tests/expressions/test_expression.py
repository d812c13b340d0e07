"""Single cases of the native subset that are worth reading, and its promises about size and numbers."""

import time

import pytest

from penstock.expressions import ExpressionError, compile_expression, looks_like_expression, strip_wrapper
from penstock.model import limits
from penstock.model.json_value import Json


def value(text: str, dot: Json = None, **variables: Json) -> Json:
    expression = compile_expression(text)
    assert expression.native, text
    return expression.evaluate(dot, variables)


@pytest.mark.parametrize(
    ("text", "dot", "result"),
    [
        (".user.name", {"user": {"name": "Ann"}}, "Ann"),
        (".a.b.c", {}, None),
        (".pets[0].name", {"pets": [{"name": "Rex"}]}, "Rex"),
        (".a // 5", {"a": False}, 5),
        ("[.a?, 1]", "text", [1]),
        (".a?", "text", None),
        ("empty", None, None),
        ("true == 1", None, False),
        ("1 == 1.0", None, True),
        ('"Hi \\(.name), you are \\(.age + 1)"', {"name": "Ann", "age": 41}, "Hi Ann, you are 42"),
        ('{name, "b": .x, (.name): 1}', {"name": "n", "x": [1]}, {"name": "n", "b": [1], "n": 1}),
        ("map(.price * .count) | add", [{"price": 2, "count": 3}, {"price": 1.5, "count": 2}], 9),
        ("map(select(.ok))", [{"ok": True, "n": 1}, {"ok": False}], [{"ok": True, "n": 1}]),
        ("9223372036854775807 + 9223372036854775807", None, 18446744073709551614),
        ("18446744073709551615 + 1", None, 18446744073709551616.0),
        ("9007199254740993 + 1", None, 9007199254740994),
        (". - 1", 9007199254740993, 9007199254740992),
        ("6 / 3", None, 2),
        ("-7 % 3", None, -1),
    ],
)
def test_the_value_of(text: str, dot: Json, result: Json) -> None:
    found = value(text, dot)
    assert found == result and type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".a.b", "cannot index number"),
        ("$nobody", "$nobody is not defined"),
        ("1 / 0", "divided by zero"),
        ("1 + {}", "cannot be added"),
        ('error("own words")', "own words"),
        ("1e308 * 10", "not a finite number"),
        ('"ab" * 1000000', "longer than"),
    ],
)
def test_mistakes_are_expression_errors(text: str, message: str) -> None:
    expression = compile_expression(text)
    if not expression.native:
        expression = compile_expression(text.replace("1e308", "1e+308"))
    assert expression.native
    with pytest.raises(ExpressionError, match=message.replace("$", r"\$")):
        expression.evaluate({"a": 1}, {})


@pytest.mark.parametrize(
    "text",
    [".[]", "1, 2", "[.[] | .a]", ". as $x | $x", "reduce .[] as $i (0; . + $i)", "test(\"a\")", ".a = 1",
     "def f: 1; f", "try 1", "map(map(.a))", "map($x)", "sort_by(.a)", "unknown_function", "1.50", "0x10"],
)  # fmt: skip
def test_everything_else_is_left_to_a_worker(text: str) -> None:
    expression = compile_expression(text)
    assert not expression.native
    with pytest.raises(ExpressionError, match="worker"):
        expression.evaluate(None, {})


@pytest.mark.parametrize("stage", ["[., .]", ". + .", "{a: ., b: .}", '"\\(.)\\(.)"', ". * .", "tojson", "[., $x]"])
def test_what_could_grow_without_bound_is_not_native(stage: str) -> None:
    assert compile_expression(stage).native
    assert not compile_expression(" | ".join([stage] * 60)).native


def test_a_native_expression_takes_linear_time_on_hostile_data() -> None:
    wide = ["ab"] * 20_000
    began = time.process_time()
    for text in (
        "map(. * 400)",
        "sort",
        "unique",
        '.[["ab", "ab", "x"]]',
        ". - .",
        ". == $x",
        'join(", ")',
        "tojson",
    ):
        value(text, wide, x=list(wide))
    assert time.process_time() - began < 5


def test_repetition_inside_a_map_is_bounded() -> None:
    assert value("map(. * 512)", ["ab"]) == ["ab" * 512]
    with pytest.raises(ExpressionError, match=str(limits.MAX_REPEAT_IN_MAP_BYTES)):
        value("map(. * 513)", ["ab"])


def test_deep_data_is_an_error_and_not_a_crash() -> None:
    deep: Json = None
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="deep"):
        value("tojson", deep)
    with pytest.raises(ExpressionError, match="deep"):
        value(". < [1]", deep)


def test_nothing_is_changed_in_place() -> None:
    dot = {"a": {"b": [3, 1, 2]}, "c": {"a": {}}}
    for text in (
        ".a + .c",
        ".a * .c",
        ".a.b | sort",
        ".a.b | reverse",
        ".a.b + [1]",
        "{a: .a, x: 1}",
        ".a.b - [1]",
    ):
        value(text, dot)
    assert dot == {"a": {"b": [3, 1, 2]}, "c": {"a": {}}}


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("${ .a }", ".a"),
        ("  ${.a}\n", ".a"),
        ("${ .a |\n .b }", ".a |\n .b"),
        ("${ {a: 1} }", "{a: 1}"),
        ("text ${ .a }", None),
        ("${ .a } text", None),
        ("${}", None),
        (".a", None),
        ("", None),
    ],
)
def test_only_a_whole_string_is_wrapped(text: str, inner: str | None) -> None:
    assert strip_wrapper(text) == inner


@pytest.mark.parametrize(
    ("text", "suspicious"),
    [
        ("text ${ .x }", True),
        (".a.b", True),
        (".items[0]", True),
        ("$context.x", True),
        ("$context", True),
        ("${ .x }", False),
        ("plain text", False),
        ("$5.00", False),
        ("...", False),
        ("1.5", False),
        (".", False),
    ],
)
def test_strings_that_were_meant_as_expressions_are_noticed(text: str, suspicious: bool) -> None:
    assert looks_like_expression(text) is suspicious
