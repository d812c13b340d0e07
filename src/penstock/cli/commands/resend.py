"""`penstock resend`: an event once more."""

import click

from penstock.cli.event_names import event_path
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, emit, talk


@click.command()
@click.argument("event", metavar="ID")
@click.option("--source", help="Where the event comes from; looked up when absent.")
@output_option
@server_options
@click.pass_context
def resend(context: click.Context, event: str, source: str | None, output: Format) -> None:
    """Publish an event once more, for whoever listens now, runs that had it included. Prints the new id.

    The new event says the same, has an id of its own, and names the original in its extension penstockresendof.
    """
    api = api_of(context)
    answer = api.request("POST", event_path(api, event, source) + ":resend").body
    if output == "table":
        click.echo(str(answer["id"]))
        talk(f"sent again: {answer['type']} of {answer['source']}")
    else:
        emit(answer, output)
