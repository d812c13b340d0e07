"""How a command ends: the exit statuses, and the one exception that carries them."""

from collections.abc import Sequence
from typing import Final

import click

DONE: Final = 0
RUN_FAILED: Final = 1
"""The run faulted or was cancelled."""
INVALID: Final = 2
"""Wrong usage, or an invalid document."""
NOT_FOUND: Final = 3
CONFLICT: Final = 4
UNREACHABLE: Final = 5
TIMED_OUT: Final = 6
INTERRUPTED: Final = 130
"""Ended by Ctrl-C, as shells count it."""


class Ended(Exception):
    """Ends the command with `exit_code`; everything is said already."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code: Final = exit_code


class CommandFailed(Exception):
    """Ends the command with `exit_code`.

    `places` are lines of the form `file:line:column: error: message`; `advice` says what to do next. All of it goes
    to stderr: it is talk, not data.
    """

    def __init__(self, exit_code: int, message: str, *, places: Sequence[str] = (), advice: str = "") -> None:
        super().__init__(message)
        self.message: Final = message
        self.exit_code: Final = exit_code
        self.places = tuple(places)
        self.advice = advice

    def show(self) -> None:
        """Says on stderr what went wrong, where, and what to do."""
        for place in self.places:
            click.echo(place, err=True)
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", err=True)
        if self.advice:
            click.echo(f"{click.style('try:', bold=True)} {self.advice}", err=True)
