"""`penstock up`: the engine and its API on this machine."""

import asyncio
import errno
import gc
from collections.abc import MutableMapping
from typing import Final, NoReturn

import click
import structlog

from penstock import __version__
from penstock.cli.exits import CONFLICT, INVALID, UNREACHABLE, CommandFailed
from penstock.cli.loops import event_loop
from penstock.errors import InfrastructureError, SchemaRefused, StoreInUse
from penstock.model.json_value import Json
from penstock.runtime.logs import make_log
from penstock.runtime.settings import Settings, load_settings
from penstock.server.app import RunningServer, run_until_stopped
from penstock.store import shown_url

_HELLO: Final = """\
  echo '{document: {dsl: 1.0.3, namespace: default, name: hello, version: 0.1.0},
    do: [{greet: {set: {said: hello}}}]}' | penstock deploy - &&
  penstock start hello --wait 5"""
_LATE_S: Final = 2.0
"""After so long whoever waits for the server is told that it is still opening."""
_USUAL_URL: Final = "http://127.0.0.1:8090"


@click.command()
@click.option("--host", help="The address to listen on; 127.0.0.1 when absent.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 8090 when absent, 0 takes any free one.")
@click.option(
    "--store", metavar="URL", help="sqlite:PATH, memory: or postgresql://…; sqlite:.penstock/penstock.db when absent."
)
@click.option("--token", metavar="TOKEN", help="What clients must send; better in PENSTOCK_TOKEN.")
@click.option("--secrets", metavar="FILE", help="A JSON or YAML file with secrets, name: value, to store at start.")
@click.option("--key-file", metavar="FILE", help="The key that seals secrets; .penstock/key when absent.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="How stderr is written; text when absent.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is logged; info when absent.",
)
@click.option("--config", metavar="FILE", help="A settings file in TOML; PENSTOCK_CONFIG when absent.")
@click.option("--roles", metavar="ROLES", help="api (takes requests), engine (moves runs), or both: api,engine.")
@click.option("--lease", "lease_s", type=int, metavar="SECONDS", help="How long a silent node keeps its runs; 10.")
@click.option("--node-name", metavar="NAME", help="How `penstock nodes` names this one; host:process when absent.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST",
    help="What may be called though it is private: NAME[:PORT], an address or 10.0.0.0/8; can be given again.",
)
def up(config: str | None, allow_hosts: tuple[str, ...], **given: str | int | None) -> None:
    """Start the engine and its API; Ctrl-C or SIGTERM ends it after what is under way.

    Every option can be set in the environment instead: PENSTOCK_HOST, PENSTOCK_STORE and so on, or in the settings
    file. Without a token it listens on this machine only, and asks for no login (development mode).

    Several of them may share one PostgreSQL database: each moves a part of the runs.
    """
    _serve(load_settings(None, config=config, allow_hosts=",".join(allow_hosts) or None, **given))


def _serve(settings: Settings) -> None:
    _route_logs(make_log(settings))
    try:
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(_open_and_serve(settings))
    except StoreInUse as error:
        advice = "stop the other engine, or take another store: --store sqlite:PATH"
        raise CommandFailed(CONFLICT, str(error), advice=advice) from None
    except SchemaRefused as error:
        advice = "another schema, which this user owns or may make: --store 'postgresql://…?schema=NAME'"
        raise CommandFailed(CONFLICT, str(error), advice=advice) from None
    except InfrastructureError as error:
        raise _not_started(error, settings) from None


async def _open_and_serve(settings: Settings) -> None:
    reason = "it waits for the database, or for another process to let go of it"
    late = asyncio.get_running_loop().call_later(
        _LATE_S, lambda: make_log(settings).info("still opening", store=shown_url(settings.store_url), reason=reason)
    )

    def announce(server: RunningServer) -> None:
        late.cancel()
        _announce(server, settings)

    try:
        await run_until_stopped(settings, announce)
    finally:
        late.cancel()


def _route_logs(log: structlog.stdlib.BoundLogger) -> None:
    """What any part of the server logs goes the way of the engine's own log: to stderr, in its format."""

    def forward(_: object, method: str, event: MutableMapping[str, Json]) -> NoReturn:
        getattr(log, method)(event.pop("event", ""), **event)
        raise structlog.DropEvent

    structlog.configure(processors=[forward])


def _not_started(error: InfrastructureError, settings: Settings) -> CommandFailed:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return CommandFailed(CONFLICT, f"{error}; another process listens there", advice="--port 0 takes a free port")
    if isinstance(cause, PermissionError) and cause.filename:
        return CommandFailed(INVALID, str(error), advice=f"take the right to {cause.filename}, or another --store")
    if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EADDRNOTAVAIL):
        return CommandFailed(INVALID, str(error), advice=f"another --host or --port; {settings.host} is not yours")
    return CommandFailed(UNREACHABLE, str(error))


def _announce(server: RunningServer, settings: Settings) -> None:
    """Where it listens, what it keeps where, and lines that can be pasted into another shell."""
    gc.freeze()  # what is loaded by now stays: the collector of this process need not look at it again and again
    url = server.base_url
    kept = "in memory: gone when this ends" if settings.in_memory else f"{shown_url(settings.store_url)}, kept"
    guarded = settings.token or server.engine.tokens.exist
    mode = "token needed" if guarded else "development mode: no token, this machine only"
    there = " where PENSTOCK_TOKEN is set" if guarded else ""
    click.echo(f"Penstock {__version__}  {url}  ({mode})")
    click.echo(f"docs   {url}/docs")
    click.echo(f"store  {kept}")
    click.echo(f"next   paste this into another shell{there}:")
    if url != _USUAL_URL:
        click.echo(f"  export PENSTOCK_URL={url}")
    click.echo(_HELLO)
