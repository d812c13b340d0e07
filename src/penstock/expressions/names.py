"""Which variables and functions a jq text names, and which of them it must not.

Forbidden is what reads or changes the world (environment, files, further inputs, standard error, the process)
and what gives another result on another machine. A name counts where it is code: `.env`, `{env: 1}`, `"env"`
and `$input` are fine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.expressions.errors import ExpressionError
from penstock.expressions.tokens import Token

FORBIDDEN_FUNCTIONS: Final = frozenset(
    (
        "env",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "input_filename",
        "input_line_number",
        "modulemeta",
        "get_search_list",
        "localtime",
        "strflocaltime",
    )
)
FORBIDDEN_KEYWORDS: Final = frozenset(("import", "include", "module", "__loc__"))
FORBIDDEN_VARIABLES: Final = frozenset(("ENV",))
NOW_VARIABLE: Final = "__now"
"""The variable that holds the turn's time in seconds since the epoch; the function `now` reads it."""


@dataclass(frozen=True, slots=True)
class Names:
    """`variables` without `$`, with `NOW_VARIABLE` when the text calls `now`; `functions` that it calls."""

    variables: frozenset[str]
    functions: frozenset[str]


def collect_names(tokens: Sequence[Token]) -> Names:
    """The names in `tokens`. Raises `ExpressionError` at the first forbidden one.

    Variables that the text binds itself (`. as $x`) are included: being given too many does no harm.
    """
    variables: set[str] = set()
    functions: set[str] = set()
    for token in _names_in_code(tokens):
        _refuse_forbidden(token)
        if token.kind == "variable":
            variables.add(token.text)
        elif token.kind == "name":
            functions.add(token.text)
    if "now" in functions:
        variables.add(NOW_VARIABLE)
    return Names(frozenset(variables), frozenset(functions))


def _refuse_forbidden(token: Token) -> None:
    match token.kind:
        case "variable":
            forbidden = token.text in FORBIDDEN_VARIABLES or token.text.startswith("__")
            spelled = "$" + token.text
        case "name":
            forbidden, spelled = token.text in FORBIDDEN_FUNCTIONS, token.text
        case _:
            forbidden, spelled = token.text in FORBIDDEN_KEYWORDS, token.text
    if forbidden:
        raise ExpressionError(f"'{spelled}' is not allowed in a runtime expression", token.position)


def _names_in_code(tokens: Sequence[Token]) -> Iterator[Token]:
    """Names, keywords and variables, those inside interpolations too, without the plain keys of objects.

    `if … end` and `def … ;` count as brackets: a comma inside does not start a key of the object around it.
    """
    brackets: list[str] = []
    key_is_next = False
    for token in tokens:
        if token.kind == "operator":
            key_is_next = _follow_brackets(token.text, brackets)
            continue
        if token.kind == "string":
            for part in token.parts:
                if not isinstance(part, str):
                    yield from _names_in_code(part)
        elif token.kind == "variable":
            yield token
        elif token.kind in ("name", "keyword") and not key_is_next:
            _follow_keywords(token, brackets)
            yield token
        key_is_next = False


def _follow_brackets(text: str, brackets: list[str]) -> bool:
    """Keep the open brackets; True when the next token is in the place of an object's key."""
    if text in ("(", "[", "{"):
        brackets.append(text)
    elif text in (")", "]", "}"):
        while brackets and brackets.pop() not in ("(", "[", "{"):
            pass
    elif text == ";" and brackets and brackets[-1] == "def":
        brackets.pop()
    return bool(brackets) and brackets[-1] == "{" and text in ("{", ",")


def _follow_keywords(token: Token, brackets: list[str]) -> None:
    if token.kind != "keyword":
        return
    if token.text in ("if", "def"):
        brackets.append(token.text)
    elif token.text == "end" and brackets and brackets[-1] == "if":
        brackets.pop()
