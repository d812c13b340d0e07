"""A mistake at a place of a text; stays inside this package."""

from penstock.model.limits import MAX_MESSAGE_CHARS


class TextError(Exception):
    """`line` and `column` count from 1."""

    def __init__(self, message: str, code: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message[:MAX_MESSAGE_CHARS]
        self.code = code
        self.line = line
        self.column = column
