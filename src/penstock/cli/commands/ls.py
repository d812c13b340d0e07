"""`penstock ls`: lists of everything that a server knows."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import click

from penstock.cli.api import Api
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.members import list_of, map_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, as_json, emit, emit_rows, talk
from penstock.cli.spans import between
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTED

Row = Callable[[dict[str, Json]], Sequence[str]]


class Listing(NamedTuple):
    """One kind of list: where it is, its columns, and how an item fills them."""

    path: str
    heads: Sequence[str]
    row: Row


def _run_row(run: dict[str, Json]) -> Sequence[str]:
    workflow = run["workflow"]
    name = f"{workflow['namespace']}/{workflow['name']}:{workflow['version']}"
    labels = ",".join(f"{key}={value}" for key, value in map_of(run.get("labels")).items())
    return str(run["id"]), name, str(run["status"]), _short(run["created_at"]), _lasted(run), labels


def _lasted(run: dict[str, Json]) -> str:
    return between(run.get("created_at"), run.get("ended_at"))


def _workflow_row(workflow: dict[str, Json]) -> Sequence[str]:
    name = f"{workflow['namespace']}/{workflow['name']}"
    return name, str(workflow["version"]), _short(workflow["created_at"])


def _tool_row(tool: dict[str, Json]) -> Sequence[str]:
    transport = map_of(tool.get("transport"))
    where = str(transport.get("endpoint", transport.get("url", "")))
    return str(tool["name"]), str(tool["capability"]), str(tool.get("stage", "")), str(transport.get("kind")), where


def _letter_row(letter: dict[str, Json]) -> Sequence[str]:
    due = _short(letter["due_at"])
    return str(letter["id"]), str(letter["run"]), str(letter["state"]), str(letter["attempts"]), due, letter["reason"]


def _capability_row(capability: dict[str, Json]) -> Sequence[str]:
    return str(capability["name"]), ", ".join(str(tool) for tool in list_of(capability.get("tools")))


def _name_row(secret: dict[str, Json]) -> Sequence[str]:
    return (str(secret["name"]),)


def _token_row(token: dict[str, Json]) -> Sequence[str]:
    ends = "revoked" if token.get("revoked") else _short(token.get("expires_at"))
    scopes, namespaces = " ".join(token["scopes"]), " ".join(token["namespaces"] or ("*",))
    return str(token["id"]), str(token["name"]), scopes, namespaces, _short(token.get("last_used_at")), ends


def _event_row(event: dict[str, Json]) -> Sequence[str]:
    data = as_json(event.get("data"), indent=None)
    shown = data if len(data) <= _DATA_SHOWN else data[: _DATA_SHOWN - 1] + "…"
    return _short(event.get("time")), str(event["type"]), str(event["source"]), str(event["id"]), shown


def _short(time: Json) -> str:
    """`2030-01-31 12:00:00Z`, without parts of a second."""
    text = str(time or "")
    return text[:19].replace("T", " ") + "Z" if len(text) > 19 else text


_DATA_SHOWN: Final = 60
LISTINGS: Final = MappingProxyType(
    {
        "runs": Listing("/api/v1/runs", ("id", "workflow", "status", "created", "lasted", "labels"), _run_row),
        "workflows": Listing("/api/v1/workflows", ("workflow", "version", "created"), _workflow_row),
        "tools": Listing("/api/v1/tools", ("name", "capability", "stage", "kind", "endpoint"), _tool_row),
        "capabilities": Listing("/api/v1/capabilities", ("capability", "tools"), _capability_row),
        "secrets": Listing("/api/v1/secrets", ("name",), _name_row),
        "tokens": Listing("/api/v1/tokens", ("id", "name", "scopes", "namespaces", "used", "ends"), _token_row),
        "events": Listing("/api/v1/events", ("time", "type", "source", "id", "data"), _event_row),
    }
)
_STATUSES: Final = ("pending", "running", "waiting", "suspended", "cancelled", "faulted", "completed")


@click.command()
@click.argument("what", type=click.Choice(list(LISTINGS)), default="runs")
@click.option("--status", type=click.Choice(_STATUSES), help="Only runs in this status.")
@click.option("--workflow", metavar="[NAMESPACE/]NAME", help="Only runs of this workflow.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only runs with it; can be given again.")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=20, show_default=True, help="How many at most.")
@output_option
@server_options
@click.pass_context
def ls(
    context: click.Context,
    what: str,
    status: str | None,
    workflow: str | None,
    labels: tuple[str, ...],
    limit: int,
    output: Format,
) -> None:
    """List runs (newest first), workflows, tools, capabilities, secrets (names only), tokens or events."""
    query = [*_given(status=status, workflow=workflow), *(("label", label.replace("=", ":", 1)) for label in labels)]
    if query and what != "runs":
        raise CommandFailed(INVALID, f"--status, --workflow and --label choose runs; there are none in `ls {what}`")
    print_listing(api_of(context), what, query, limit, output)


def print_work(api: Api, path: str, query: Sequence[tuple[str, str]], limit: int, output: Format) -> None:
    """Prints the work of a tool."""
    heads = ("id", "run", "state", "attempts", "due", "reason")
    _print(api, Listing(path, heads, _letter_row), "work", query, limit, output)


def print_listing(api: Api, what: str, query: Sequence[tuple[str, str]], limit: int, output: Format) -> None:
    """Prints one kind of list."""
    _print(api, LISTINGS[what], what, query, limit, output)


def _print(api: Api, listing: Listing, what: str, query: Sequence[tuple[str, str]], limit: int, output: Format) -> None:
    found = list(api.items(listing.path, query, most=limit))
    if output != "table":
        emit(found, output)
    elif found:
        emit_rows(listing.heads, [listing.row(item) for item in found])
    else:
        talk(f"no {what}")
    if len(found) == limit:
        talk(f"the first {limit}; --limit shows more")


def _given(**parameters: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, value in parameters.items() if value is not None]
