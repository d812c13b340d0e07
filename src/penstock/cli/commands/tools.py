"""`penstock tools`: who provides which capability."""

from types import MappingProxyType
from typing import Final

import click

from penstock.cli.api import segment
from penstock.cli.commands.ls import print_listing
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.lazy import Entry, LazyGroup
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, as_json, emit, talk
from penstock.cli.values import read_json
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTED
from penstock.model.plain_data import is_map

_HERE: Final = "penstock.cli.commands.tools"
_SECTION: Final = "Commands"

tools: Final = LazyGroup(
    table=MappingProxyType(
        {
            "ls": Entry(f"{_HERE}:list_tools", "List tools", _SECTION),
            "register": Entry(f"{_HERE}:register", "Register or replace a tool", _SECTION),
            "rm": Entry(f"{_HERE}:remove", "Forget tools", _SECTION),
        }
    ),
    name="tools",
    help="Register, list and forget tools: who provides which capability.",
    no_args_is_help=True,
)


@click.command("ls")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=100, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def list_tools(context: click.Context, limit: int, output: Format) -> None:
    """List tools."""
    print_listing(api_of(context), "tools", (), limit, output)


@click.command("register")
@click.argument("name", metavar="NAME|@FILE|-")
@click.option("--capability", metavar="NAME", help="What it provides; its own name when absent.")
@click.option("--endpoint", metavar="URL", help="Where calls are POSTed to.")
@click.option("--stage", help="The stage that it serves; every one when absent.")
@click.option("--weight", type=click.IntRange(min=0), help="Its share of the calls among its equals; 1 when absent.")
@dry_run_option
@output_option
@server_options
@click.pass_context
def register(
    context: click.Context,
    name: str,
    capability: str | None,
    endpoint: str | None,
    stage: str | None,
    weight: int | None,
    dry_run: bool,
    output: Format,
) -> None:
    """Register or replace a tool.

    Either NAME with --endpoint, or @FILE (- for stdin) with the whole definition as JSON.
    """
    api = api_of(context)
    if name == "-" or name.startswith("@"):
        definition = read_json(name, name)
    else:
        definition = _definition(name, capability, endpoint, {"stage": stage, "weight": weight})
    if not is_map(definition) or not isinstance(definition.get("name"), str):
        raise CommandFailed(INVALID, f"{name} holds no definition of a tool: an object with a name")
    if dry_run:
        talk(f"would register {definition['name']} (dry run: nothing is stored)")
        stored: Json = definition
    else:
        body = as_json(definition, indent=None).encode()
        stored = api.request("PUT", f"/api/v1/tools/{segment(definition['name'])}", (), body).body
        talk(f"registered {definition['name']}")
    if output != "table":
        emit(stored, output)


@click.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@dry_run_option
@server_options
@click.pass_context
def remove(context: click.Context, names: tuple[str, ...], dry_run: bool) -> None:
    """Forget tools. Calls of what nobody else provides wait from then on."""
    api = api_of(context)
    for name in names:
        path = f"/api/v1/tools/{segment(name)}"
        if dry_run:
            api.get(path)
            talk(f"would forget {name}")
        else:
            api.request("DELETE", path)
            talk(f"forgot {name}")


def _definition(name: str, capability: str | None, endpoint: str | None, further: dict[str, Json]) -> Json:
    if endpoint is None:
        raise click.UsageError("--endpoint is needed to register a tool by its name")
    definition: dict[str, Json] = {
        "name": name,
        "capability": capability or name,
        "transport": {"kind": "http", "endpoint": endpoint},
    }
    return definition | {key: value for key, value in further.items() if value is not None}
