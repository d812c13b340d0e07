"""A group of commands that are imported when they are called: `--help` of the whole costs no import of any."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple, cast

import click

_CLOSE: Final = 0.5


class Entry(NamedTuple):
    """Where a command stands (`module:attribute`), its line in the list of commands, and that list's section."""

    where: str
    summary: str
    section: str


class LazyGroup(click.Group):
    """A group whose commands come from a table. Unknown names are answered with the close ones."""

    def __init__(self, *, table: Mapping[str, Entry], **settings: object) -> None:
        super().__init__(**settings)  # pyright: ignore[reportArgumentType] - click's own parameters
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        return cast(click.Command, getattr(import_module(module), attribute))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.table and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0][:80]!r}{_hint(args[0], self.table)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.table)
        for section in dict.fromkeys(entry.section for entry in self.table.values()):
            rows = [
                (name.ljust(width), entry.summary) for name, entry in self.table.items() if entry.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows)


def _hint(wanted: str, known: Mapping[str, Entry]) -> str:
    close = difflib.get_close_matches(wanted.lower(), known, n=3, cutoff=_CLOSE)
    return f"; did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
