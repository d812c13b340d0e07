"""Draws a run while it goes: a tree that is drawn anew on a terminal, lines one after the other elsewhere.

All of it is talk: it goes to stderr, and what the run gave follows on stdout.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import click

from penstock.cli.output import colored, talk
from penstock.cli.progress import Progress
from penstock.cli.tree import Line, draw, lines_of
from penstock.model.json_value import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_REFRESHES_PER_S: Final = 8
_ROWS_KEPT_FREE: Final = 3


class Watcher(Protocol):
    """Something that is shown each lifecycle event of a run, in order."""

    @property
    def progress(self) -> Progress: ...

    def take(self, event: dict[str, Json]) -> None: ...


@contextmanager
def watching(*, color: bool) -> Generator[Watcher]:
    """A watcher that fits stderr; what it draws stays when the block ends."""
    if not (sys.stderr.isatty() and color):
        yield LineWatcher()
        return
    from rich.console import Console  # noqa: PLC0415 - rich costs time to import
    from rich.live import Live  # noqa: PLC0415 - only on a terminal

    watcher = TreeWatcher(Console(stderr=True))
    with Live(watcher, console=watcher.console, refresh_per_second=_REFRESHES_PER_S) as live:
        yield watcher
        live.update(watcher.whole(), refresh=True)


class LineWatcher:
    """One line for each thing that happened to a task."""

    def __init__(self) -> None:
        self.progress = Progress()

    def take(self, event: dict[str, Json]) -> None:
        row = self.progress.take(event)
        if row is None or row["status"] == "pending":
            return
        line = lines_of([row])[0]
        when = str(event.get("time", ""))[11:23]
        talk(f"{when}  {colored(line.status.ljust(9))}  {line.label}  {line.remark}".rstrip())


class TreeWatcher:
    """The whole tree; durations of what runs move on."""

    def __init__(self, console: "Console") -> None:
        self.progress = Progress()
        self.console = console

    def take(self, event: dict[str, Json]) -> None:
        self.progress.take(event)

    def whole(self) -> "Text":
        """Every line of the tree."""
        return _rendered(self._lines())

    def __rich__(self) -> "Text":
        """As many of the last lines as the terminal has room for."""
        room = max(self.console.height - _ROWS_KEPT_FREE, 1)
        return _rendered(self._lines()[-room:])

    def _lines(self) -> list[Line]:
        return lines_of(self.progress.tasks, datetime.now(UTC))


def _rendered(lines: list[Line]) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - as above

    def paint(sign: str, status: str) -> str:
        return colored(status).replace(status, sign)

    return Text.from_ansi("\n".join(draw(lines, paint)))


def wants_color(context: click.Context) -> bool:
    """Whether this command may draw in color."""
    return context.color is not False
