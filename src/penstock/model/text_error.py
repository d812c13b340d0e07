"""A mistake at a place of a text; stays inside this package."""


class TextError(Exception):
    """`line` and `column` count from 1."""

    def __init__(self, message: str, code: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.line = line
        self.column = column
