"""`penstock tools`: who provides which capability."""

from types import MappingProxyType
from typing import Final

import click

from penstock.cli.api import segment
from penstock.cli.commands.ls import print_listing, print_work
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
            "redeliver": Entry(f"{_HERE}:redeliver", "Send dead letters again", _SECTION),
            "register": Entry(f"{_HERE}:register", "Register or replace a tool", _SECTION),
            "rm": Entry(f"{_HERE}:remove", "Forget tools", _SECTION),
            "work": Entry(f"{_HERE}:work", "List the work of a tool", _SECTION),
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
@click.option("--push", metavar="URL", help="Where work is POSTed to as events; it answers by events.")
@click.option("--secret", metavar="NAME", help="The stored secret that signs what is pushed.")
@click.option("--pull", is_flag=True, help="It fetches its work, and answers by events.")
@click.option("--lease", metavar="DURATION", help="How long it has what it fetched, like PT1M.")
@click.option("--prefix", metavar="TEXT", help="What stands before the capability in the types of events.")
@click.option("--start-timeout", metavar="DURATION", help="When somebody must have started, like PT1M.")
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
    push: str | None,
    secret: str | None,
    pull: bool,
    lease: str | None,
    prefix: str | None,
    start_timeout: str | None,
    stage: str | None,
    weight: int | None,
    dry_run: bool,
    output: Format,
) -> None:
    """Register or replace a tool.

    Either NAME with --endpoint, --push or --pull, or @FILE (- for stdin) with the whole definition as JSON.
    """
    api = api_of(context)
    if name == "-" or name.startswith("@"):
        definition = read_json(name, name)
    else:
        transport = _transport(endpoint, push, secret, pull, lease)
        further: dict[str, Json] = {"stage": stage, "weight": weight, "prefix": prefix, "start_timeout": start_timeout}
        definition = {"name": name, "capability": capability or name, "transport": transport, **_given(further)}
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


@click.command("work")
@click.argument("name")
@click.option("--state", type=click.Choice(("waiting", "leased", "sent", "dead")), help="Only work in this state.")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=100, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def work(context: click.Context, name: str, state: str | None, limit: int, output: Format) -> None:
    """List the work of a tool that takes it by event: what is on its way, and dead letters with their reason."""
    query = [("state", state)] if state else []
    print_work(api_of(context), f"/api/v1/tools/{segment(name)}/letters", query, limit, output)


@click.command("redeliver")
@click.argument("name")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@dry_run_option
@server_options
@click.pass_context
def redeliver(context: click.Context, name: str, ids: tuple[str, ...], dry_run: bool) -> None:
    """Send dead letters of a tool again: those with these ids, or all."""
    api, path = api_of(context), f"/api/v1/tools/{segment(name)}"
    if dry_run:
        dead = api.items(f"{path}/letters", [("state", "dead")], most=MAX_LISTED)
        count = sum(1 for letter in dead if not ids or letter["id"] in ids)
        talk(f"would redeliver {count}")
        return
    queries = [[("id", one)] for one in ids] or [[]]
    count = sum(api.request("POST", f"{path}:redeliver", query).body["redelivered"] for query in queries)
    talk(f"redelivered {count}")


def _transport(endpoint: str | None, push: str | None, secret: str | None, pull: bool, lease: str | None) -> Json:
    if (endpoint is not None) + (push is not None) + pull != 1:
        raise click.UsageError("one of --endpoint, --push and --pull is needed to register a tool by its name")
    if (secret is not None and push is None) or (lease is not None and not pull):
        raise click.UsageError("--secret is for --push, and --lease for --pull")
    if pull:
        return {"kind": "pull", **_given({"lease": lease})}
    if push is not None:
        return {"kind": "push", "url": push, **_given({"secret": secret})}
    return {"kind": "http", "endpoint": endpoint}


def _given(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value is not None}
