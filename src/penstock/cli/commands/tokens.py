"""`penstock tokens`: who may ask a server for what."""

from types import MappingProxyType
from typing import Final

import click

from penstock.cli.api import segment
from penstock.cli.commands.ls import print_listing
from penstock.cli.lazy import Entry, LazyGroup
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, as_json, emit, talk
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTED

_HERE: Final = "penstock.cli.commands.tokens"
_SECTION: Final = "Commands"

tokens: Final = LazyGroup(
    table=MappingProxyType(
        {
            "create": Entry(f"{_HERE}:create", "Make a token", _SECTION),
            "ls": Entry(f"{_HERE}:list_tokens", "List tokens, without their text", _SECTION),
            "revoke": Entry(f"{_HERE}:revoke", "End tokens at once", _SECTION),
        }
    ),
    name="tokens",
    help="Make, list and revoke API tokens: who may ask for what.",
    no_args_is_help=True,
)


@click.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="admin, author, operate, trigger, view or tool:NAME; can be given again.",
)
@click.option(
    "--namespace", "namespaces", multiple=True, metavar="NAME", help="For this one alone; can be given again; else all."
)
@click.option("--expires-in", metavar="DURATION", help="An ISO 8601 duration, like P30D; never when absent.")
@dry_run_option
@output_option
@server_options
@click.pass_context
def create(
    context: click.Context,
    name: str,
    scopes: tuple[str, ...],
    namespaces: tuple[str, ...],
    expires_in: str | None,
    dry_run: bool,
    output: Format,
) -> None:
    """Make a token and print it, this once: the server keeps its hash alone.

    The first token ends development mode: from then on the server answers nobody without one, and workflows call
    private addresses only where `penstock up --allow-host` names them. It must have the scope admin.
    """
    wish: dict[str, Json] = {"name": name, "scopes": list(scopes)}
    if namespaces:
        wish["namespaces"] = list(namespaces)
    if expires_in is not None:
        wish["expires_in"] = expires_in
    if dry_run:
        talk(f"would make the token {name} (dry run: nothing is made)")
        return
    made = api_of(context).request("POST", "/api/v1/tokens", (), as_json(wish).encode()).body
    if output == "table":
        click.echo(made["token"])
        talk(f"made {made['id']}; the token is told this once")
    else:
        emit(made, output)


@click.command("ls")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=100, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def list_tokens(context: click.Context, limit: int, output: Format) -> None:
    """List tokens, the oldest first, revoked and expired ones too."""
    print_listing(api_of(context), "tokens", (), limit, output)


@click.command("revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@dry_run_option
@server_options
@click.pass_context
def revoke(context: click.Context, ids: tuple[str, ...], dry_run: bool) -> None:
    """End tokens: at once on the server that is asked, within seconds on others that share its database."""
    api = api_of(context)
    for token_id in ids:
        if dry_run:
            talk(f"would revoke {token_id}")
        else:
            api.request("DELETE", f"/api/v1/tokens/{segment(token_id)}")
            talk(f"revoked {token_id}")
