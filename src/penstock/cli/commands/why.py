"""`penstock why`: what a run waits for, or why an event matched or did not."""

from typing import Final

import click

from penstock.cli.event_names import event_path
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.members import list_of, map_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, colored, emit, emit_rows, talk
from penstock.cli.references import run_id, run_path
from penstock.model.json_value import Json

_HEADS: Final = ("verdict", "run", "workflow", "task", "reason")


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--event", metavar="ID", help="Ask about this event; with RUN, about it and that run alone.")
@click.option("--source", help="Where the event comes from; looked up when absent.")
@output_option
@server_options
@click.pass_context
def why(context: click.Context, run: str | None, event: str | None, source: str | None, output: Format) -> None:
    """Say what a run waits for, since when, until when, and who can end it; or whom an event was for, and why not.

    A run is named by its id, a beginning of it that no other has, or @last, the newest of the server.
    """
    api = api_of(context)
    if event is None:
        if run is None or source is not None:
            raise CommandFailed(INVALID, "say which: penstock why RUN, or penstock why --event ID [--source SOURCE]")
        answer = api.get(run_path(run_id(api, run)) + "/why")
        show = _show_run
    else:
        query = [] if run is None else [("run", run_id(api, run))]
        answer = api.get(event_path(api, event, source) + "/matches", query)
        show = _show_event
    if output == "table":
        show(answer)
    else:
        emit(answer, output)


def _show_run(answer: dict[str, Json]) -> None:
    click.echo(f"{answer['id']}  {answer['workflow']}  {colored(str(answer['status']))}")
    if answer.get("ended_at"):
        click.echo(f"  ended at {answer['ended_at']}: it waits for nothing")
    for one in map(map_of, list_of(answer["waits"])):
        task = f"{one['name']} ({one['reference']})" if one["reference"] else "the run"
        until = f", until {one['until']}: {one['until_what']}" if one.get("until") else ""
        click.echo(f"  {click.style(str(one['kind']), bold=True)}  {task}")
        for head, text in (("waits for", one["what"]), ("since", f"{one['since']}{until}"), ("ended by", one["ends"])):
            click.echo(f"    {click.style(head.ljust(9), dim=True)} {text}")


def _show_event(answer: dict[str, Json]) -> None:
    event = map_of(answer["event"])
    click.echo(f"{event['type']}  {event['source']}  {event['id']}")
    click.echo(f"  came at {answer['came_at']}, kept for listeners until {answer['expires_at']}")
    found = [map_of(one) for one in list_of(answer["candidates"])]
    if found:
        emit_rows(_HEADS, [_row(one) for one in found])
    else:
        talk("no run and no stored workflow listens for events of this type")
    if answer["more"]:
        talk("there are more listeners than are told of; RUN asks about one")


def _row(one: dict[str, Json]) -> tuple[str, ...]:
    task = f"{one['name']} ({one['reference']})" if one["reference"] else ""
    return str(one["verdict"]), str(one["run"] or ""), str(one["workflow"]), task, str(one["reason"])
