"""`penstock nodes`: the engines that share a database, and what each of them holds."""

from collections.abc import Sequence
from typing import Final

import click

from penstock.cli.members import list_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, emit, emit_rows
from penstock.cli.spans import between
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTED

_HEADS: Final = ("name", "role", "partitions", "joined", "seen", "lease")


@click.command()
@output_option
@server_options
@click.pass_context
def nodes(context: click.Context, output: Format) -> None:
    """List the nodes that share the server's database, in the order in which they joined.

    The role is engine for one that moves runs, api for one that only takes requests. The lease is what it lasts from
    when the node was seen last. A server over a SQLite file is the only node of its store.
    """
    found = list(api_of(context).items("/api/v1/nodes", [], most=MAX_LISTED))
    if output != "table":
        emit(found, output)
    else:
        emit_rows(_HEADS, [_row(node) for node in found])


def _row(node: dict[str, Json]) -> Sequence[str]:
    return (
        str(node["name"]),
        "engine" if node["engine"] else "api",
        str(len(list_of(node["partitions"]))),
        _short(node["joined_at"]),
        _short(node["seen_at"]),
        between(node["seen_at"], node["lease_until"]),
    )


def _short(time: Json) -> str:
    """`2030-01-31 12:00:00Z`, without parts of a second."""
    return str(time)[:19].replace("T", " ") + "Z"
