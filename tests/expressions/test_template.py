"""Structures with expressions inside: what is evaluated, what is literal, and what is data."""

import pytest

from penstock.expressions import ExpressionError, compile_template


def test_whole_strings_are_replaced_and_everything_else_stands() -> None:
    template = compile_template(
        {"a": "${ .x }", "b": ["${ $y }", "text ${ .x }", ".x", 5], "c": {"d": None, "${ .x }": 1}},
    )
    assert template.build({"x": [1]}, {"y": 2}, {}) == {
        "a": [1],
        "b": [2, "text ${ .x }", ".x", 5],
        "c": {"d": None, "${ .x }": 1},
    }
    assert [pointer for pointer, _ in template.expressions] == ["/a", "/b/0"]
    assert template.names == {"y"} and not template.constant


def test_expression_syntax_in_data_stays_data() -> None:
    template = compile_template({"a": "${ .x }", "b": "${ {c: $y} }"})
    assert template.build({"x": "${ .secret }"}, {"y": "${ 1 }"}, {}) == {
        "a": "${ .secret }",
        "b": {"c": "${ 1 }"},
    }


def test_a_constant_is_the_definition_itself() -> None:
    definition = {"a": [1, {"b": "text"}]}
    template = compile_template(definition)
    assert template.constant and template.build(None, {}, {}) is definition


def test_bare_strings_count_at_the_top_only() -> None:
    assert compile_template(".a", bare=True).build({"a": 1}, {}, {}) == 1
    assert compile_template("${ .a }", bare=True).build({"a": 1}, {}, {}) == 1
    assert compile_template(".a").build({"a": 1}, {}, {}) == ".a"
    assert compile_template({"x": ".a"}, bare=True).build({"a": 1}, {}, {}) == {"x": ".a"}


def test_workers_expressions_are_needs_by_pointer() -> None:
    template = compile_template({"a/b": ["${ [.[] | .n] }"], "~": "${ .n }"})
    ((pointer, expression),) = template.needs()
    assert pointer == "/a~1b/0" and expression.text == "[.[] | .n]" and not expression.loose
    assert template.build({"n": 1}, {}, {"/a~1b/0": [7]}) == {"a/b": [[7]], "~": 1}
    with pytest.raises(ExpressionError, match="/a~1b/0: has no answer"):
        template.build({"n": 1}, {}, {})


def test_the_answer_null_is_an_answer() -> None:
    assert compile_template("${ [.[]] }").build(None, {}, {"": None}) is None


def test_an_expression_with_secrets_takes_its_answer_from_outside() -> None:
    template = compile_template({"token": "${ $secrets.token }"})
    assert template.uses_secrets
    assert template.build(None, {}, {"/token": "given"}) == {"token": "given"}


def test_errors_name_their_place() -> None:
    with pytest.raises(ExpressionError, match="/a/0: 'env'"):
        compile_template({"a": ["${ env }"]})
    with pytest.raises(ExpressionError, match="/a: cannot index"):
        compile_template({"a": "${ .x.y }"}).build({"x": 1}, {}, {})


def test_loose_tries_every_string_and_falls_back_to_the_text() -> None:
    template = compile_template(
        {
            "a": ".x",
            "b": "${ .x }",
            "c": "(not jq",
            "d": "$nobody",
            "e": "env",
            "f": "[.[]]",
            "g": "plain words",
        },
        mode="loose",
    )
    assert [(pointer, expression.loose) for pointer, expression in template.needs()] == [
        ("/f", True),
        ("/g", True),
    ]
    assert template.build({"x": 1}, {}, {"/f": [1]}) == {
        "a": 1,
        "b": 1,
        "c": "(not jq",
        "d": "$nobody",
        "e": "env",
        "f": [1],
        "g": "plain words",
    }
