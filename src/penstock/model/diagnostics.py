"""What is wrong, or doubtful, in a document, and where."""

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Final, Literal

import msgspec

Severity = Literal["error", "warning"]

# Comparing costs the product of the lengths; these keep a suggestion under a millisecond or two.
_LONGEST_NAME: Final = 64
_MOST_NAMES: Final = 100


class Diagnostic(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding. `line` and `column` count from 1; 0 when the document was not a text.

    `pointer` is the JSON Pointer of the place, `code` a stable name of the kind of finding.
    """

    severity: Severity
    pointer: str
    message: str
    code: str
    line: int = 0
    column: int = 0

    def render(self, name: str) -> str:
        """The finding as compilers write it: `file:line:column: error: message`."""
        place = f"{name}:{self.line}:{self.column}" if self.line else f"{name}#{self.pointer}"
        return f"{place}: {self.severity}: {self.message}"

    def __str__(self) -> str:
        return self.render("<document>")


def suggestion(wanted: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when one of the first hundred known names is close, else nothing."""
    names = [name[:_LONGEST_NAME] for name in islice(known, _MOST_NAMES)]
    close = difflib.get_close_matches(wanted[:_LONGEST_NAME], names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
