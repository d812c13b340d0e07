"""`penstock secrets`: values in, never out."""

from types import MappingProxyType
from typing import Final

import click

from penstock.cli.api import segment
from penstock.cli.commands.ls import print_listing
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.lazy import Entry, LazyGroup
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, as_json, talk
from penstock.cli.values import read_json, read_text
from penstock.model.limits import MAX_LISTED

_HERE: Final = "penstock.cli.commands.secrets"
_SECTION: Final = "Commands"

secrets: Final = LazyGroup(
    table=MappingProxyType(
        {
            "ls": Entry(f"{_HERE}:list_secrets", "List the names of all secrets", _SECTION),
            "set": Entry(f"{_HERE}:set_secret", "Store a secret", _SECTION),
            "rm": Entry(f"{_HERE}:remove", "Delete secrets", _SECTION),
        }
    ),
    name="secrets",
    help="Store, list and delete secrets. Values go in and never come out.",
    no_args_is_help=True,
)


@click.command("ls")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=100, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def list_secrets(context: click.Context, limit: int, output: Format) -> None:
    """List the names of all secrets."""
    print_listing(api_of(context), "secrets", (), limit, output)


@click.command("set")
@click.argument("name")
@click.option("--value", metavar="@FILE|-", help="Where the value is read from; asked for when absent.")
@click.option("--json", "is_json", is_flag=True, help="The value is JSON, not a text.")
@dry_run_option
@server_options
@click.pass_context
def set_secret(context: click.Context, name: str, value: str | None, is_json: bool, dry_run: bool) -> None:
    """Store or replace a secret.

    The value is never an argument, where the list of processes and the shell's history would keep it: it comes
    from a file, from stdin, or is asked for. One line break at the end of a text does not belong to it.
    """
    api = api_of(context)
    if value is not None and value != "-" and not value.startswith("@"):
        message = "--value takes @FILE or -, not the value: the shell's history would keep it"
        raise CommandFailed(INVALID, message, advice=f"`penstock secrets set {name}` asks for it")
    given = value
    if given is None:
        text = click.prompt("value", hide_input=True, confirmation_prompt=True, err=True)
        secret = read_json(text, "the value") if is_json and not text.startswith("@") else text
    else:
        secret = read_json(given, "--value") if is_json else read_text(given)[0].removesuffix("\n").removesuffix("\r")
    if dry_run:
        talk(f"would store {name} (dry run: nothing is stored)")
        return
    api.request("PUT", f"/api/v1/secrets/{segment(name)}", (), as_json({"value": secret}).encode())
    talk(f"stored {name}")


@click.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@dry_run_option
@server_options
@click.pass_context
def remove(context: click.Context, names: tuple[str, ...], dry_run: bool) -> None:
    """Delete secrets."""
    api = api_of(context)
    for name in names:
        if dry_run:
            talk(f"would delete {name}")
        else:
            api.request("DELETE", f"/api/v1/secrets/{segment(name)}")
            talk(f"deleted {name}")
