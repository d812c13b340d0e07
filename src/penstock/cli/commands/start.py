"""`penstock start`: a run of a stored workflow."""

import time

import click

from penstock.cli.api import Api, Query
from penstock.cli.exits import DONE, INVALID, CommandFailed, Ended
from penstock.cli.following import print_end, watch_run
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, as_json, emit, talk
from penstock.cli.progress import ENDS
from penstock.cli.references import run_path, workflow_name
from penstock.cli.values import read_json
from penstock.model.json_value import Json
from penstock.model.limits import MAX_HTTP_WAIT_MS, REQUEST_TIMEOUT_MS

_POLL_S = 0.5


@click.command()
@click.argument("workflow", metavar="[NAMESPACE/]NAME[:VERSION]")
@click.option("-i", "--input", "input_", metavar="JSON|@FILE|-", help="The run's input; {} when absent.")
@click.option("--wait", type=click.FloatRange(min=0), metavar="S", help="Wait up to S seconds for its end.")
@click.option("--watch", is_flag=True, help="Draw the tasks until its end.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label; can be given again.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same start with the same key is the same run.")
@click.option("--at", metavar="TIME", help="Start then, not now: RFC 3339, like 2030-01-31T12:00:00Z.")
@output_option
@server_options
@click.pass_context
def start(
    context: click.Context,
    workflow: str,
    input_: str | None,
    wait: float | None,
    watch: bool,
    labels: tuple[str, ...],
    key: str | None,
    at: str | None,
    output: Format,
) -> None:
    """Start a run of a stored workflow.

    Prints the run's id; with --wait or --watch its output when it completes. Ends with 6 when it has not ended
    after --wait; the run goes on then. Without a version the latest one is started; without a namespace the only
    one that has the workflow, or default.
    """
    if watch and wait is not None:
        raise click.UsageError("--wait and --watch exclude each other")
    api = api_of(context)
    value: Json = {} if input_ is None else read_json(input_, "--input")
    query = [*(("label", _label(label)) for label in labels), *([("at", at)] if at else [])]
    run = _start(api, workflow, value, query, key, wait)
    run_id = str(run["id"])
    if watch or wait is not None:
        talk(f"run {run_id}")
        run = watch_run(api, run_id, context) if watch else _waited(api, run, wait or 0)
        status = print_end(run, output)
        if status != DONE:
            raise Ended(status)
        return
    if output == "table":
        click.echo(run_id)
        talk(f"started; `penstock show {run_id}` shows it")
    else:
        emit(run, output)


def _start(api: Api, workflow: str, value: Json, query: Query, key: str | None, wait: float | None) -> dict[str, Json]:
    name = workflow_name(api, workflow)
    asked = [*query, *([("version", name.version)] if name.version else [])]
    headers = {"Idempotency-Key": key} if key else {}
    first = min(wait or 0, MAX_HTTP_WAIT_MS / 1000)
    if first:
        asked.append(("wait", f"{first:.3f}"))
    return api.request(
        "POST",
        f"{name.path}/runs",
        asked,
        as_json(value, indent=None).encode(),
        headers=headers,
        timeout_s=first + REQUEST_TIMEOUT_MS / 1000,
    ).body


def _waited(api: Api, run: dict[str, Json], wait: float) -> dict[str, Json]:
    """The run when it has ended, or as it is after so many seconds; a request waits for a part of them only."""
    until = time.monotonic() + wait - MAX_HTTP_WAIT_MS / 1000
    while run["status"] not in ENDS and time.monotonic() < until:
        time.sleep(_POLL_S)
        run = api.get(run_path(str(run["id"])))
    return run


def _label(given: str) -> str:
    key, equals, value = given.partition("=")
    if not key or not equals:
        raise CommandFailed(INVALID, f"--label {given[:100]!r} is not KEY=VALUE")
    return f"{key}:{value}"
