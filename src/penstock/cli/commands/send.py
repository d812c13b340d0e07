"""`penstock send`: an event to a server."""

import uuid
from collections.abc import Sequence
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
_ATTRIBUTES: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
    "data_base64",
    "datacontenttype",
)


@click.command()
@click.argument("what", metavar="TYPE|@FILE|-")
@click.option("--source", help=f"Where the event comes from; {_SOURCE} when absent.")
@click.option("--data", metavar="JSON|@FILE|-", help="The event's data.")
@click.option("--id", "id_", metavar="ID", help="Its id, by which a duplicate is known; a new one when absent.")
@click.option("--subject", help="What it is about.")
@click.option("--time", "time_", metavar="TIME", help="When it happened, as RFC 3339; now when absent.")
@click.option("--ttl", metavar="SECONDS|DURATION", help="How long it waits for listeners: 90, PT5M.")
@click.option(
    "-x",
    "--extension",
    "extensions",
    multiple=True,
    metavar="NAME=VALUE",
    help="One more attribute; can be given again.",
)
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
    time_: str | None,
    ttl: str | None,
    extensions: tuple[str, ...],
    output: Format,
) -> None:
    """Publish an event, as a CloudEvent 1.0.

    Either TYPE with the options, or @FILE (- for stdin) with a whole event, or an array of them. Prints the id.
    """
    api = api_of(context)
    whole = what == "-" or what.startswith("@")
    given = {"source": source, "id": id_, "subject": subject, "time": time_, "penstockttl": ttl}
    if whole and (data is not None or extensions or any(value is not None for value in given.values())):
        raise CommandFailed(INVALID, f"{what} is a whole event; options that make one go with a TYPE")
    event = read_json(what, what) if whole else _event(what, given, data, extensions)
    media = _BATCH if is_list(event) else _EVENT
    answer = api.request("POST", "/api/v1/events", (), as_json(event, indent=None).encode(), media=media)
    if output != "table":
        emit(answer.body, output)
        return
    for one in event if is_list(event) else [event]:
        click.echo(str(map_of(one).get("id", "")))
    talk("taken")


def _event(type_: str, given: dict[str, str | None], data: str | None, extensions: Sequence[str]) -> dict[str, Json]:
    """`given` are attributes by name, None for those that are left to their defaults."""
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": _SOURCE,
        "type": type_,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **{name: value for name, value in given.items() if value is not None},
    }
    for extension in extensions:
        name, equals, value = extension.partition("=")
        if not equals or not name or name in (*_ATTRIBUTES, *(one for one in given if given[one] is not None)):
            raise CommandFailed(INVALID, f"--extension: {extension[:100]!r} is not NAME=VALUE with a name of its own")
        event[name] = value
    if data is not None:
        event |= {"datacontenttype": "application/json", "data": read_json(data, "--data")}
    return event
