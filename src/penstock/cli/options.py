"""Options that several commands share, always spelled and explained the same."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from penstock.cli.api import Api

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_URL: Final = "http://127.0.0.1:8090"


def output_option(command: Command) -> Command:
    """`-o table|json|yaml`, as the parameter `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="How data is printed.",
    )(command)


def server_options(command: Command) -> Command:
    """`--url` and `--token`; the command reads them by `api_of`."""
    return _url(_token(command))


def dry_run_option(command: Command) -> Command:
    """`--dry-run`, as the parameter `dry_run`."""
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")(command)


def api_of(context: click.Context) -> Api:
    """The client for `--url` and `--token` of this command."""
    given = _given(context)
    return Api(given.get("url") or DEFAULT_URL, given.get("token") or "")


def _given(context: click.Context) -> dict[str, str]:
    """What `--url` and `--token` were given for this command."""
    kept: dict[str, str] = context.meta.setdefault(__name__, {})
    return kept


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if parameter.name and value:
        _given(context)[parameter.name] = value


def _url(command: Command) -> Command:
    return click.option(
        "--url",
        envvar="PENSTOCK_URL",
        expose_value=False,
        callback=_keep,
        help=f"The server; PENSTOCK_URL, or {DEFAULT_URL}.",
    )(command)


def _token(command: Command) -> Command:
    return click.option(
        "--token",
        envvar="PENSTOCK_TOKEN",
        expose_value=False,
        callback=_keep,
        help="The server's token; better in PENSTOCK_TOKEN.",
    )(command)
