"""Follows a run on a server: its live events, its end, and what its end means for the exit status."""

import time
from collections.abc import Iterator
from typing import Final

import click

from penstock.cli.api import Api
from penstock.cli.exits import DONE, RUN_FAILED, TIMED_OUT, UNREACHABLE, CommandFailed
from penstock.cli.members import map_of
from penstock.cli.output import Format, emit, talk
from penstock.cli.progress import ENDS
from penstock.cli.references import run_path
from penstock.cli.sse import Event
from penstock.cli.watching import wants_color, watching
from penstock.model.json_value import Json
from penstock.model.limits import MAX_CLIENT_RECONNECTS

_PAUSE_S: Final = 0.3


def live_events(api: Api, run_id: str) -> Iterator[Event]:
    """Every lifecycle event of a run until its end, the past ones first; streams that end early are opened again."""
    last, silent = "", 0
    while True:
        came = False
        for event in api.events(f"{run_path(run_id)}/stream", last):
            last, came = event.id or last, True
            yield event
        if api.get(run_path(run_id))["status"] in ENDS:
            return
        silent = 0 if came else silent + 1
        if silent > MAX_CLIENT_RECONNECTS:
            raise CommandFailed(UNREACHABLE, f"{api.url} ends its streams while run {run_id} goes on")
        time.sleep(_PAUSE_S * silent)


def watch_run(api: Api, run_id: str, context: click.Context) -> dict[str, Json]:
    """Draws the run until it ends; returns it."""
    try:
        with watching(color=wants_color(context)) as watcher:
            for event in live_events(api, run_id):
                watcher.take(event.data)
    except KeyboardInterrupt:
        talk(f"the run goes on; `penstock cancel {run_id}` ends it")
        raise
    return api.get(run_path(run_id))


def print_end(run: dict[str, Json], format_: Format) -> int:
    """Prints how a run ended: its output, or all of it with `-o json|yaml`; returns the exit status."""
    if format_ != "table":
        emit(run, format_)
    elif run["status"] == "completed":
        emit(run.get("output"), format_)
    return tell_end(run)


def tell_end(run: dict[str, Json]) -> int:
    """Says on stderr why a run did not complete; returns the exit status that its status means."""
    status = str(run["status"])
    if status == "completed":
        return DONE
    if status not in ENDS:
        talk(f"{click.style('timed out:', fg='yellow', bold=True)} the run is still {status}")
        return TIMED_OUT
    talk(f"{click.style('error:', fg='red', bold=True)} the run was {status}" if status == "cancelled" else _why(run))
    return RUN_FAILED


def _why(run: dict[str, Json]) -> str:
    error = map_of(run.get("error"))
    reason = ": ".join(str(error[part]) for part in ("title", "detail") if error.get(part)) or "no reason given"
    where = f" (at {error['instance']})" if error.get("instance") else ""
    return f"{click.style('error:', fg='red', bold=True)} the run faulted: {reason}{where}"
