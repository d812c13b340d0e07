"""Which names are allowed where, and what a text is refused for before anything runs."""

import pytest

from penstock.expressions import ExpressionError, compile_expression
from penstock.model import limits


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("env", "env"),
        ("env.PATH", "env"),
        (".a | env", "env"),
        ("$ENV", "$ENV"),
        ("$ ENV.PATH", "$ENV"),
        ("{(env): 1}", "env"),
        ("{a: env}", "env"),
        ("{a: if . then 1, env, 2 else 3 end}", "env"),
        ("{a: (1, env, 2)}", "env"),
        ("{a: def f: 1, env, 2; f}", "env"),
        ("{$ENV}", "$ENV"),
        ('"a \\(env) b"', "env"),
        ('"a \\("b \\(input)") b"', "input"),
        ('{"a\\(env)": 1}', "env"),
        ('@base64 "\\(env)"', "env"),
        ("[.[] | input]", "input"),
        ("inputs", "inputs"),
        ("debug", "debug"),
        ('debug("x")', "debug"),
        ("stderr", "stderr"),
        ("halt", "halt"),
        ("halt_error(1)", "halt_error"),
        ("input_filename", "input_filename"),
        ("input_line_number", "input_line_number"),
        ("$__loc__", "$__loc__"),
        ("{$__loc__}", "$__loc__"),
        ("$__prog_args", "$__prog_args"),
        ("$__now", "$__now"),
        ('import "a" as a; .', "import"),
        ('include "a"; .', "include"),
        ("modulemeta", "modulemeta"),
        ("get_search_list", "get_search_list"),
        ("now | localtime", "localtime"),
        ('now | strflocaltime("%H")', "strflocaltime"),
        ("def env: 1; env", "env"),
        ("# only a comment\nenv", "env"),
    ],
)
def test_what_reads_or_changes_the_world_is_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(ExpressionError, match="not allowed") as caught:
        compile_expression(text)
    assert f"'{name}'" in caught.value.message
    assert caught.value.position is not None


@pytest.mark.parametrize(
    "text",
    [
        ".env",
        ".a.env",
        "{env}",
        "{env: 1}",
        "{a: 1, env: 2, input}",
        "{a: {env: 1}, input: [.]}",
        '"env"',
        '"\\("env")"',
        '.["env"]',
        "$input",
        "$input.env",
        ". as {env: $x} | $x",
        "# env\n.a",
        ".a # debug",
        "mktime",
        "gmtime",
        'getpath(["a"])',
        "{if: .if, end: 1, env: 2}",
    ],
)
def test_the_same_words_are_fine_where_they_are_data(text: str) -> None:
    assert compile_expression(text).text == text


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("  # nothing", 0),
        ("(.a", 0),
        (".a)", 2),
        ("[.a}", 3),
        ("1) | (2", 1),
        ('"abc', 0),
        ('"a \\(.b"', 7),
        ('"\\q"', 1),
        ('"\\ud800"', 1),
        ("'a'", 0),
        ("# a \\\nenv", 0),
        ("# a \r env", 0),
        ("(" * 3 + ")", 1),
    ],
)
def test_what_no_jq_could_mean_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert caught.value.position == position


def test_the_length_is_limited_at_the_limit_and_one_over() -> None:
    text = "1" + " " * (limits.MAX_EXPRESSION_BYTES - 1)
    assert compile_expression(text).text == "1"
    with pytest.raises(ExpressionError, match="longer"):
        compile_expression(text + " ")


def test_interpolations_nest_to_a_limit_and_brackets_as_deep_as_the_text() -> None:
    with pytest.raises(ExpressionError, match="too deep"):
        compile_expression('"\\(' * 100 + "1" + ')"' * 100)
    assert not compile_expression("[" * 5000 + "]" * 5000).native
    assert not compile_expression("-1" + " + 1" * 3000).native
    assert not compile_expression(".a" * 3000).native
    assert not compile_expression("." + " | ." * 3000).native


def test_names_are_the_variables_and_the_time() -> None:
    assert compile_expression('$context.a + $input | "\\($task.name)"').names == {"context", "input", "task"}
    assert compile_expression("now").names == {"__now"}
    assert compile_expression("now").evaluate(None, {"__now": 5.5}) == 5.5
    assert compile_expression(".a as $x | $x").names == {"x"}
    assert compile_expression(".now").names == frozenset()


@pytest.mark.parametrize("name", ["secrets", "secret", "authorization"])
def test_naming_a_credential_is_known(name: str) -> None:
    assert compile_expression(f'"Bearer \\(${name}.token)"').uses_secrets
    assert not compile_expression(f".{name}").uses_secrets
