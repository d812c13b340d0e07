"""`penstock logs`: what happened in a run, in order."""

from typing import Final

import click

from penstock.cli.exits import DONE, Ended
from penstock.cli.following import live_events, tell_end
from penstock.cli.members import list_of, map_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, as_json, colored, emit_line
from penstock.cli.progress import kind_of
from penstock.cli.references import run_id, run_path
from penstock.cli.tree import name_of
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTED

_SHOWN: Final = ("error", "output", "correlationKeys", "detail")


@click.command()
@click.argument("run", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends; its status is the exit status.")
@output_option
@server_options
@click.pass_context
def logs(context: click.Context, run: str, follow: bool, output: Format) -> None:
    """Tell what happened in a run, as its lifecycle events.

    With -o json one CloudEvent per line.
    """
    api = api_of(context)
    identifier = run_id(api, run)
    if not follow:
        for event in api.items(f"{run_path(identifier)}/history", most=MAX_LISTED):
            _print(event, output)
        return
    for item in live_events(api, identifier):
        _print(item.data, output)
    status = tell_end(api.get(run_path(identifier)))
    if status != DONE:
        raise Ended(status)


def _print(event: dict[str, Json], output: Format) -> None:
    if output != "table":
        emit_line(event, output)
        return
    scope, verb = kind_of(str(event.get("type", "")))
    data = map_of(event.get("data"))
    subject = "run" if scope == "workflow" else name_of(str(data.get("task", "")))
    subject += "".join(f"[{index}]" for index in list_of(data.get("path")))
    attempt = data.get("attempt") or 0
    remarks = [f"attempt {attempt}"] if attempt > 1 else []
    remarks += [f"{key} {as_json(data[key], indent=None)}" for key in _SHOWN if data.get(key) is not None]
    click.echo(f"{event.get('time', '')}  {colored(verb.ljust(9))}  {subject}  {'  '.join(remarks)}".rstrip())
