"""Named SQL statements from a `.sql` file: the one place where SQL text is looked up.

`-- name: NAME` begins a statement. A row of placeholders followed by `...`, as in `VALUES (?, ?) ...`, is a
*row statement*: `rows(NAME, n)` repeats the row n times, so that one execution writes n rows.
"""

import re
from functools import lru_cache
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*\n", re.MULTILINE)
_ROW: Final = re.compile(r"(\(\?(?:, \?)*\)) \.\.\.")
_WIDTHS_CACHED: Final = 512


class Statements:
    """The statements of one file; immutable. Asking for a name that is not there is a `KeyError`."""

    def __init__(self, text: str) -> None:
        parts = _NAME.split(_COMMENT_BEFORE_NAME.sub("", text))
        bodies = (_COMMENT.sub("", body).strip() for body in parts[2::2])
        self._by_name = dict(zip(parts[1::2], bodies, strict=True))
        if len(self._by_name) != len(parts) // 2:
            raise ValueError("two SQL statements have the same name")
        self.rows = lru_cache(_WIDTHS_CACHED)(self._rows)

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def _rows(self, name: str, count: int) -> str:
        """The row statement `name` for `count` rows."""
        text, found = _ROW.subn(lambda row: ", ".join([row[1]] * count), self._by_name[name])
        if found != 1:
            raise ValueError(f"{name} is not a row statement")
        return text


_COMMENT_BEFORE_NAME: Final = re.compile(r"\A(?:--(?! name:).*\n|\s*\n)*")


def load_statements(package: str, file: str) -> Statements:
    """Reads the statements that lie in `file` beside the modules of `package`."""
    return Statements(resources.files(package).joinpath(file).read_text(encoding="utf-8"))
