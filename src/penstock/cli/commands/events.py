"""`penstock events`: those that a server has, or those that come."""

from collections.abc import Sequence
from urllib.parse import urlencode

import click

from penstock.cli.api import Api
from penstock.cli.commands.ls import LISTINGS, print_listing
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, emit_line
from penstock.cli.references import run_id
from penstock.model.limits import MAX_LISTED


@click.command()
@click.option("--type", "type_", metavar="TYPE", help="Only those of this type.")
@click.option("--source", help="Only those of this source.")
@click.option("--subject", help="Only those with this subject.")
@click.option("--run", metavar="RUN", help="Only those that this run published or was given.")
@click.option("-f", "--follow", is_flag=True, help="Events as they come; with --run until the run has ended.")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=20, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def events(
    context: click.Context,
    type_: str | None,
    source: str | None,
    subject: str | None,
    run: str | None,
    follow: bool,
    limit: int,
    output: Format,
) -> None:
    """List events, newest first (those of a run in the order in which they came), or follow them.

    With -f and -o json one CloudEvent per line.
    """
    api = api_of(context)
    wanted = {"type": type_, "source": source, "subject": subject, "run": None if run is None else run_id(api, run)}
    query = [(name, value) for name, value in wanted.items() if value is not None]
    if follow:
        _follow(api, query, output)
    else:
        print_listing(api, "events", query, limit, output)


def _follow(api: Api, query: Sequence[tuple[str, str]], output: Format) -> None:
    path = "/api/v1/events/stream"
    for event in api.events(f"{path}?{urlencode(query)}" if query else path):
        if output == "table":
            click.echo("  ".join(LISTINGS["events"].row(event.data)))
        else:
            emit_line(event.data, output)
