"""`penstock version`: this program's version, and the server's when it can be reached."""

from typing import Final

import click

from penstock import __version__
from penstock.cli.api import Api
from penstock.cli.exits import CommandFailed
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, emit
from penstock.model.json_value import Json

_TIMEOUT_S: Final = 1.0


@click.command()
@output_option
@server_options
@click.pass_context
def version(context: click.Context, output: Format) -> None:
    """Say which version this is, and which one the server has when it can be reached."""
    api = api_of(context)
    server, reason = _server(api)
    if output != "table":
        emit({"client": __version__, "server": server, "url": api.url}, output)
        return
    click.echo(f"client  {__version__}")
    click.echo(f"server  {server}  {api.url}" if server else f"server  {reason}")


def _server(api: Api) -> tuple[Json, str]:
    try:
        answer = api.request("GET", "/version", timeout_s=_TIMEOUT_S).body
    except CommandFailed as error:
        return None, error.message
    return answer.get("version"), ""
