"""What can go wrong with an expression, as exceptions of this package only.

`ExpressionError` is caught by whoever evaluates (kernel, shell) and becomes a `Fault` of type *expression*.
The other two never leave the package.
"""


class ExpressionError(Exception):
    """The author's mistake, or data that does not fit the expression.

    `position` is the offset in the expression's text when the text itself is wrong, else None.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class SchemaError(Exception):
    """A JSON Schema that cannot be used: malformed, or it refers to something that is not pinned."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotNative(Exception):
    """The text is outside the native subset: a worker evaluates it (or says what is wrong with it)."""


class EmptyOutput(Exception):
    """The part of an expression being evaluated has no output (jq's `empty`)."""
