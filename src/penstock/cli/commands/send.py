"""`penstock send`: an event to a server."""

import uuid
from datetime import UTC, datetime
from typing import Final

import click

from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.members import map_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, as_json, emit, talk
from penstock.cli.values import read_json
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list

_EVENT: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_SOURCE: Final = "/penstock/cli"


@click.command()
@click.argument("what", metavar="TYPE|@FILE|-")
@click.option("--source", help=f"Where the event comes from; {_SOURCE} when absent.")
@click.option("--data", metavar="JSON|@FILE|-", help="The event's data.")
@click.option("--id", "id_", metavar="ID", help="Its id, by which a duplicate is known; a new one when absent.")
@click.option("--subject", help="What it is about.")
@output_option
@server_options
@click.pass_context
def send(
    context: click.Context,
    what: str,
    source: str | None,
    data: str | None,
    id_: str | None,
    subject: str | None,
    output: Format,
) -> None:
    """Publish an event, as a CloudEvent 1.0.

    Either TYPE with the options, or @FILE (- for stdin) with a whole event, or an array of them. Prints the id.
    """
    api = api_of(context)
    whole = what == "-" or what.startswith("@")
    if whole and any(option is not None for option in (source, data, id_, subject)):
        raise CommandFailed(INVALID, f"{what} is a whole event; --source, --data, --id and --subject go with a TYPE")
    event = read_json(what, what) if whole else _event(what, source, data, id_, subject)
    media = _BATCH if is_list(event) else _EVENT
    answer = api.request("POST", "/api/v1/events", (), as_json(event, indent=None).encode(), media=media)
    if output != "table":
        emit(answer.body, output)
        return
    for one in event if is_list(event) else [event]:
        click.echo(str(map_of(one).get("id", "")))
    talk("taken")


def _event(type_: str, source: str | None, data: str | None, id_: str | None, subject: str | None) -> dict[str, Json]:
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": id_ or str(uuid.uuid4()),
        "source": source or _SOURCE,
        "type": type_,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if subject is not None:
        event["subject"] = subject
    if data is not None:
        event |= {"datacontenttype": "application/json", "data": read_json(data, "--data")}
    return event
