"""Whether an attribute of an event is what a filter asks for (docs/dsl-decisions.md). Pure, and linear in the text.

The pattern comes from an author and the text from outside, so patterns run on an engine without
backtracking: every match takes time linear in the text, and what such an engine cannot do (look-around, back
references) is no pattern. Patterns mean what ECMA-262 says (`\\d` is 0 to 9), and must match the whole value.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, cast

import jsonschema_rs

from penstock.model.json_value import Json
from penstock.model.limits import MAX_PATTERN_BYTES, MAX_PATTERN_PROGRAM_BYTES

AttributeMatcher: TypeAlias = Callable[[Json], bool]
"""Says whether the attribute's value matches. Total; never raises for a JSON value."""

_SIGNS: Final = frozenset("*+?[](){}|^$\\")


def compile_attribute(name: str, wanted: Json) -> AttributeMatcher:
    """The matcher for one attribute of a filter; `wanted` is a literal, never an expression.

    A value equals, as JSON; or, when both can be written as text (`5` and `"5"`, as in binary mode), their
    texts are equal. A text that holds signs of a regular expression also matches what that expression matches
    as a whole. A dot alone makes no pattern: types and sources are full of dots. `data` is only compared.
    """
    if name == "data":
        return lambda value: json_equal(value, wanted)
    wanted_text = attribute_text(wanted)
    if wanted_text is None:
        return lambda value: json_equal(value, wanted)
    pattern = _compiled(wanted_text) if isinstance(wanted, str) and is_pattern(wanted) else None
    if pattern is None:
        return lambda value: attribute_text(value) == wanted_text

    def matches(value: Json) -> bool:
        text = attribute_text(value)
        return text is not None and (text == wanted_text or pattern(text))

    return matches


def is_pattern(text: str) -> bool:
    """True for a text that is more than a literal."""
    return not _SIGNS.isdisjoint(text)


def pattern_problem(name: str, wanted: Json) -> str | None:
    """Why a text that looks like a regular expression can only be compared, for a warning; else None."""
    if name == "data" or not isinstance(wanted, str) or not is_pattern(wanted):
        return None
    if len(wanted.encode("utf-8", "replace")) > MAX_PATTERN_BYTES:
        return f"it is longer than {MAX_PATTERN_BYTES} bytes, so it is compared as it stands"
    if _compiled(wanted) is None:
        return "it is no regular expression that can be matched in linear time, so it is compared as it stands"
    return None


def attribute_text(value: Json) -> str | None:
    """The canonical text of an attribute's value (CloudEvents 1.0, "Type System"); None if it has none."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return None


def _compiled(pattern: str) -> Callable[[str], bool] | None:
    """What tells whether a text matches the pattern as a whole; None if it is none."""
    if len(pattern.encode("utf-8", "replace")) > MAX_PATTERN_BYTES:
        return None
    options = jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_PROGRAM_BYTES, dfa_size_limit=MAX_PATTERN_PROGRAM_BYTES)
    try:
        # Alone first, so that a stray bracket cannot pair with the brackets around it.
        jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options)
        return jsonschema_rs.validator_for({"pattern": f"^(?:{pattern})$"}, pattern_options=options).is_valid
    except (jsonschema_rs.ValidationError, ValueError):
        return None


def json_equal(left: Json, right: Json) -> bool:
    """Equality of JSON values: `1` equals `1.0`, but not `true`. Never recurses."""
    pending: list[tuple[Json, Json]] = [(left, right)]
    while pending:
        one, other = pending.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            members, others = cast("dict[str, Json]", one), cast("dict[str, Json]", other)
            if members.keys() != others.keys():
                return False
            pending.extend((value, others[key]) for key, value in members.items())
        elif isinstance(one, list) and isinstance(other, list):
            items, other_items = cast("list[Json]", one), cast("list[Json]", other)
            if len(items) != len(other_items):
                return False
            pending.extend(zip(items, other_items, strict=True))
        elif isinstance(one, bool) is not isinstance(other, bool) or one != other:
            return False
    return True
