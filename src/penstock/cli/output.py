"""Printing: data to stdout in the format asked for, talk to stderr."""

import json
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import click

from penstock.model.json_value import Json

Format: TypeAlias = Literal["table", "json", "yaml"]

_GAP: Final = "  "
_COLORS: Final = {
    "completed": "green",
    "faulted": "red",
    "cancelled": "yellow",
    "running": "blue",
    "waiting": "cyan",
    "suspended": "magenta",
}


def as_json(value: Json, *, indent: int | None = 2) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def emit(value: Json, format_: Format) -> None:
    """One value as data; "table" prints it as JSON, for values that have no table."""
    if format_ == "yaml":
        from penstock.model.dump import dump_yaml  # noqa: PLC0415 - a YAML writer costs time to import

        click.echo(dump_yaml(value), nl=False)
    else:
        click.echo(as_json(value))


def emit_line(value: Json, format_: Format) -> None:
    """One item of a stream: a line of JSON, or a document of YAML."""
    if format_ == "yaml":
        click.echo("---")
        emit(value, format_)
    else:
        click.echo(as_json(value, indent=None))


def emit_rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns that line up; nothing is cut, so that lines can be searched and pasted. Statuses have colors."""
    table = [tuple(head.upper() for head in heads), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for number, row in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        cells.append(row[-1])
        shown = [click.style(cell, dim=True) if number == 0 else colored(cell) for cell in cells]
        click.echo(_GAP.join(shown).rstrip())


def colored(text: str) -> str:
    """The text, in its color if it is a status."""
    color = _COLORS.get(text.strip())
    return click.style(text, fg=color) if color else text


def talk(text: str) -> None:
    """Something for people, beside the data."""
    click.echo(text, err=True)
