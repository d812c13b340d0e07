"""Readers of plain values: texts, numbers, names, and data in which `${ }` strings are expressions."""

import re
from typing import Final

from penstock.model.durations import Duration, duration_ms
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map
from penstock.model.readers.node import ExpressionSite, Fields, Node, SiteKind, TextSite

_EXPRESSION: Final = re.compile(r"\s*\$\{.+\}\s*", re.DOTALL)
_SUSPICIOUS: Final = re.compile(r"\s*(?:\.[A-Za-z_\[]|\$[A-Za-z_])")
_DNS_LABEL: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_IDENTIFIER: Final = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER: Final = re.compile(
    rf"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIALS: Final = frozenset(("secrets", "secret", "authorization"))
_LONGEST_DURATION: Final = 100  # characters of a literal duration
_LONGEST_VERSION: Final = 256


def is_expression(value: Json) -> bool:
    """Whether a value is a whole-string `${ }` expression (strict mode of the DSL); it may span lines."""
    return isinstance(value, str) and _EXPRESSION.fullmatch(value) is not None


def read_text(node: Node) -> str:
    if not isinstance(node.value, str):
        node.wrong_type("a text")
        return ""
    return node.value


def read_name(node: Node) -> str:
    """A text that is not empty."""
    text = read_text(node)
    if isinstance(node.value, str) and not text:
        node.error("the name is empty", "empty-name")
    return text


def read_boolean(node: Node) -> bool:
    if not isinstance(node.value, bool):
        node.wrong_type("true or false")
        return False
    return node.value


def read_integer(node: Node) -> int:
    if isinstance(node.value, bool) or not isinstance(node.value, int):
        node.wrong_type("a whole number")
        return 0
    return node.value


def read_object(node: Node) -> dict[str, Json]:
    if not is_map(node.value):
        node.wrong_type("a map")
        return {}
    return node.value


def read_dns_label(node: Node) -> str:
    text = read_text(node)
    if isinstance(node.value, str) and not _DNS_LABEL.fullmatch(text):
        node.error(f"{text[:80]!r} is not a DNS label: letters, digits and inner dashes, at most 63", "dns-label")
    return text


def is_dns_label(text: str) -> bool:
    return _DNS_LABEL.fullmatch(text) is not None


def read_semver(node: Node) -> str:
    text = read_text(node)
    if isinstance(node.value, str) and not is_semver(text):
        node.error(f"{text[:80]!r} is not a semantic version such as 1.0.0", "semver")
    return text


def is_semver(text: str) -> bool:
    return len(text) <= _LONGEST_VERSION and _SEMVER.fullmatch(text) is not None


def read_variable(node: Node) -> str:
    """The name of an expression variable, without the `$`."""
    text = read_text(node)
    if isinstance(node.value, str) and not _VARIABLE.fullmatch(text):
        node.error(f"{text[:80]!r} is no variable name: letters, digits and underscores", "variable-name")
    elif text in _CREDENTIALS:
        node.error(f"{text!r} is the name of the runtime's own variable; choose another", "variable-name")
    return text


def read_choice(node: Node, choices: tuple[str, ...]) -> str:
    """One of the given texts; the first stands in when it is none."""
    if node.value not in choices:
        listed = ", ".join(choices)
        node.error(f"expected one of {listed}; found {_shown(node.value)}", "choice")
        return choices[0]
    return node.value


def _shown(value: Json) -> str:
    return repr(value)[:80]


def read_condition(node: Node) -> str:
    """A field that is an expression by type, with or without `${ }`."""
    return _read_expression(node, "condition")


def _read_expression(node: Node, kind: SiteKind) -> str:
    text = read_text(node)
    if isinstance(node.value, str):
        if not text.strip():
            node.error("the expression is empty", "expression")
        node.reading.expressions.append(ExpressionSite(node.pointer, text, kind))
    return text


def read_transform(node: Node) -> Json:
    """`from` and `as`: an expression text, or an object that is walked."""
    if isinstance(node.value, str):
        return _read_expression(node, "transform")
    if is_map(node.value):
        return read_data(node)
    node.wrong_type("an expression or a map")
    return None


def read_data(node: Node) -> Json:
    """Any data; its `${ }` strings are noted as expressions."""
    return _walk(node, "value")


def read_call_data(node: Node) -> Json:
    """Data inside a call."""
    return _walk(node, "call")


def _walk(node: Node, kind: SiteKind) -> Json:
    """Notes every text below, in the order of the document, without recursion."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item.value, str):
            note_text(item, kind)
        elif is_list(item.value):
            below = [item.member(index, value) for index, value in enumerate(item.value)]
            pending.extend(reversed(below))
        elif is_map(item.value):
            below = [item.member(key, value) for key, value in item.value.items()]
            pending.extend(reversed(below))
    return node.value


def note_text(node: Node, kind: SiteKind) -> None:
    """Notes a text of a value position: as an expression, or as a literal that looks like one."""
    if is_expression(node.value):
        node.reading.expressions.append(ExpressionSite(node.pointer, node.value, kind))
    elif "${" in node.value or _SUSPICIOUS.match(node.value):
        node.reading.texts.append(TextSite(node.pointer, node.value))


def read_value_text(node: Node) -> str:
    """A text that may be a `${ }` expression."""
    text = read_text(node)
    if isinstance(node.value, str):
        note_text(node, "value")
    return text


def read_call_text(node: Node) -> str:
    """A text inside a call that may be a `${ }` expression."""
    text = read_text(node)
    if isinstance(node.value, str):
        note_text(node, "call")
    return text


def read_duration(node: Node) -> Duration:
    """ISO 8601, a map of units, or a `${ }` expression, which is kept without its `${ }`."""
    if isinstance(node.value, str) and is_expression(node.value):
        node.reading.expressions.append(ExpressionSite(node.pointer, node.value, "value"))
        return Duration(expression=node.value.strip()[2:-1].strip())
    if is_map(node.value):
        Fields(node, ("days", "hours", "minutes", "seconds", "milliseconds"))
    elif isinstance(node.value, str) and len(node.value) > _LONGEST_DURATION:
        node.error("not a duration: the text is too long", "duration")
        return Duration(ms=0)
    result = duration_ms(node.value)
    if isinstance(result, str):
        node.error(result[:300], "duration")
        return Duration(ms=0)
    return Duration(ms=result)
