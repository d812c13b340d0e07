"""`penstock check`: what is wrong with documents, like a compiler, without a server."""

from typing import Literal

import click

from penstock.cli.checking import Checked, check_text
from penstock.cli.exits import INVALID, Ended
from penstock.cli.options import output_option
from penstock.cli.output import Format, emit, talk
from penstock.cli.values import read_bytes, shown_name
from penstock.model.diagnostics import Diagnostic
from penstock.model.dump import dump_yaml
from penstock.model.json_value import Json


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--show",
    type=click.Choice(["dsl", "bounds"]),
    help="Also print the document as the DSL, or its bounds: the worst case of a run.",
)
@output_option
def check(files: tuple[str, ...], show: Literal["dsl", "bounds"] | None, output: Format) -> None:
    """Say what is wrong with documents, offline.

    Prints FILE:LINE:COLUMN: error|warning: MESSAGE for each finding, and ends with 2 when there is an error.
    FILE may be - for stdin, and in any notation.
    """
    checked = [check_text(read_bytes(path), shown_name(path)) for path in files]
    if output == "table":
        for one in checked:
            _print(one, show)
    else:
        emit([_as_json(one, show) for one in checked], output)
    _summarize(checked)
    if not all(one.valid for one in checked):
        raise Ended(INVALID)


def _print(checked: Checked, show: str | None) -> None:
    for found in checked.findings:
        click.echo(found.render(checked.name))
    if show == "dsl" and checked.definition is not None:
        click.echo(dump_yaml(checked.definition), nl=False)
    if show == "bounds" and checked.bounds is not None:
        emit(checked.bounds, "table")


def _as_json(checked: Checked, show: str | None) -> dict[str, Json]:
    view: dict[str, Json] = {
        "file": checked.name,
        "notation": checked.notation,
        "valid": checked.valid,
        "errors": [_finding(found) for found in checked.findings if found.severity == "error"],
        "warnings": [_finding(found) for found in checked.findings if found.severity == "warning"],
        "bounds": checked.bounds,
    }
    return view | {"dsl": checked.definition} if show == "dsl" else view


def _finding(found: Diagnostic) -> dict[str, Json]:
    return {
        "line": found.line,
        "column": found.column,
        "severity": found.severity,
        "message": found.message,
        "code": found.code,
        "pointer": found.pointer,
    }


def _summarize(checked: list[Checked]) -> None:
    every = [found.severity for one in checked for found in one.findings]
    errors, warnings = every.count("error"), every.count("warning")
    talk(f"{_count(len(checked), 'file')}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
