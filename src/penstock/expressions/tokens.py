"""The tokens of jq text: all of jq's lexical grammar, so that names can be judged before anything runs.

The lexer must never take for a comment or a string what libjq takes for code, or a forbidden name could hide
there; where the two could differ (comments with a backslash or a carriage return) it refuses the text.
Source: jq manual 1.8, and the differential tests.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from penstock.expressions.errors import ExpressionError
from penstock.model import limits

TokenKind: TypeAlias = Literal["number", "string", "field", "name", "keyword", "variable", "format", "operator"]

KEYWORDS: Final = frozenset(
    (
        *("def", "if", "then", "elif", "else", "end", "as", "reduce", "foreach", "try", "catch", "label"),
        *("import", "include", "module", "and", "or", "__loc__"),
    )
)

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>\#[^\n]*)
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<field>\.[a-zA-Z_][a-zA-Z_0-9]*)
    | (?P<variable>\$[ \t\r\n]*(?:[a-zA-Z_][a-zA-Z_0-9]*::)*[a-zA-Z_][a-zA-Z_0-9]*)
    | (?P<format>@[a-zA-Z0-9_]+)
    | (?P<name>(?:[a-zA-Z_][a-zA-Z_0-9]*::)*[a-zA-Z_][a-zA-Z_0-9]*)
    | (?P<operator>\?//=?|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.\[\]{}()?,:;|=+\-*/%<>$])
    """,
    re.VERBOSE,
)
_PLAIN: Final = re.compile(r'[^"\\]+')
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_CLOSES: Final = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` of a field or variable is its bare name; `parts` are a string's texts and tokens."""

    kind: TokenKind
    text: str
    position: int
    parts: "tuple[str | tuple[Token, ...], ...]" = ()


def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of `text`, strings as one token each; comments and blanks are gone.

    Raises `ExpressionError` with a position for text that no jq could mean: unbalanced brackets,
    an unfinished string, a character that starts no token, or interpolations nested beyond the limit.
    """
    tokens, end = _Lexer(text).run(0, 0)
    if end != len(text):
        raise ExpressionError(f"unexpected {text[end]!r}", end)
    return tokens


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text

    def run(self, start: int, depth: int) -> tuple[tuple[Token, ...], int]:
        """Tokens up to the end of the text, or to the `)` that closes an interpolation; and where that is."""
        if depth > limits.MAX_EXPRESSION_DEPTH:
            raise ExpressionError("is nested too deeply", start)
        tokens: list[Token] = []
        open_brackets: list[Token] = []
        position = start
        while position < len(self._text):
            if self._text[position] == '"':
                token, position = self._string(position, depth)
                tokens.append(token)
                continue
            found = self._one(position)
            if found is not None:
                if found.kind == "operator" and not _balance(found, open_brackets, depth):
                    return tuple(tokens), position
                tokens.append(found)
            position = self._end
        if open_brackets:
            raise ExpressionError(f"'{open_brackets[-1].text}' is never closed", open_brackets[-1].position)
        if depth:
            raise ExpressionError("an interpolation is never closed", start)
        return tuple(tokens), position

    def _one(self, position: int) -> Token | None:
        """The token at `position`, None for blanks and comments; `_end` is set behind it."""
        match = _TOKEN.match(self._text, position)
        if match is None:
            raise ExpressionError(f"unexpected {self._text[position]!r}", position)
        self._end = match.end()
        kind, text = match.lastgroup, match.group()
        match kind:
            case "space":
                return None
            case "comment":
                if "\\" in text or "\r" in text:
                    raise ExpressionError("a comment must not hold a backslash or a carriage return", position)
                return None
            case "number" | "operator":
                return Token(kind, text, position)
            case "field" | "format":
                return Token(kind, text[1:], position)
            case "variable":
                return Token(kind, text[1:].lstrip(), position)
            case _:
                return Token("keyword" if text in KEYWORDS else "name", text, position)

    def _string(self, start: int, depth: int) -> tuple[Token, int]:
        parts: list[str | tuple[Token, ...]] = []
        plain: list[str] = []
        position = start + 1
        while position < len(self._text):
            char = self._text[position]
            if char == '"':
                parts.append("".join(plain))
                return Token("string", self._text[start : position + 1], start, tuple(parts)), position + 1
            if char != "\\":
                match = _PLAIN.match(self._text, position)
                assert match is not None
                plain.append(match.group())
                position = match.end()
            elif self._text.startswith("(", position + 1):
                parts.append("".join(plain))
                plain.clear()
                inner, position = self.run(position + 2, depth + 1)
                parts.append(inner)
                position += 1
            else:
                decoded, position = self._escape(position)
                plain.append(decoded)
        raise ExpressionError("a string is never closed", start)

    def _escape(self, position: int) -> tuple[str, int]:
        char = self._text[position + 1 : position + 2]
        if char in _ESCAPES:
            return _ESCAPES[char], position + 2
        if char != "u":
            raise ExpressionError("an unknown escape in a string", position)
        unit = self._hex(position + 2, position)
        if 0xD800 <= unit < 0xDC00 and self._text.startswith("\\u", position + 6):
            low = self._hex(position + 8, position)
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), position + 12
        if 0xD800 <= unit < 0xE000:
            raise ExpressionError("half of a surrogate pair in a string", position)
        return chr(unit), position + 6

    def _hex(self, position: int, start: int) -> int:
        match = _HEX.match(self._text, position)
        if match is None:
            raise ExpressionError("an unfinished \\u escape in a string", start)
        return int(match.group(), 16)


def _balance(token: Token, open_brackets: list[Token], depth: int) -> bool:
    """Keep the open brackets; False when `token` closes the interpolation that is being read."""
    if token.text in ("(", "[", "{"):
        open_brackets.append(token)
    elif token.text in _CLOSES:
        if not open_brackets and token.text == ")" and depth:
            return False
        if not open_brackets or open_brackets[-1].text != _CLOSES[token.text]:
            raise ExpressionError(f"'{token.text}' closes nothing", token.position)
        open_brackets.pop()
    return True
