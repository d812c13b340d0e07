"""`penstock cancel|suspend|resume|retry`: steering runs."""

import click

from penstock.cli.exits import DONE, CommandFailed, Ended
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, as_json, emit, talk
from penstock.cli.references import run_id, run_path
from penstock.model.json_value import Json


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="ID...")
@dry_run_option
@output_option
@server_options
@click.pass_context
def cancel(context: click.Context, runs: tuple[str, ...], dry_run: bool, output: Format) -> None:
    """End runs early. A run that has ended is a conflict (4)."""
    _each(context, runs, "cancel", "cancelled", dry_run, output)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="ID...")
@dry_run_option
@output_option
@server_options
@click.pass_context
def suspend(context: click.Context, runs: tuple[str, ...], dry_run: bool, output: Format) -> None:
    """Hold runs: they begin no task until they are resumed; what they wait for goes on."""
    _each(context, runs, "suspend", "suspended", dry_run, output)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="ID...")
@dry_run_option
@output_option
@server_options
@click.pass_context
def resume(context: click.Context, runs: tuple[str, ...], dry_run: bool, output: Format) -> None:
    """Let held runs go on."""
    _each(context, runs, "resume", "resumed", dry_run, output)


@click.command()
@click.argument("run", metavar="ID")
@click.option("--from", "reference", metavar="REF", help="The task to begin with, like /do/0/getPet.")
@dry_run_option
@output_option
@server_options
@click.pass_context
def retry(context: click.Context, run: str, reference: str | None, dry_run: bool, output: Format) -> None:
    """Run again from a task of an ended run.

    The new run begins with the old one's state before that task, the one in which it ended when none is named.
    The old run stays as it is. Prints the new run's id.
    """
    api = api_of(context)
    identifier = run_id(api, run)
    if dry_run:
        found = api.get(run_path(identifier))
        talk(f"would retry run {identifier}, which is {found['status']}")
        return
    body: dict[str, Json] = {"from": reference} if reference else {}
    answer: dict[str, Json] = api.request("POST", f"{run_path(identifier)}:retry", (), _encoded(body)).body
    if output == "table":
        click.echo(str(answer["id"]))
        talk(f"a retry of {identifier}")
    else:
        emit(answer, output)


def _each(context: click.Context, runs: tuple[str, ...], verb: str, done: str, dry_run: bool, output: Format) -> None:
    """Does the same to each run; one that cannot be steered does not keep the others from it."""
    api = api_of(context)
    results: list[Json] = []
    worst = DONE
    for given in runs:
        try:
            identifier = run_id(api, given)
            if dry_run:
                status = str(api.get(run_path(identifier))["status"])
                talk(f"would {verb} run {identifier}, which is {status}")
                continue
            results.append(api.request("POST", f"{run_path(identifier)}:{verb}").body)
            talk(f"{done} {identifier}")
        except CommandFailed as error:
            error.show()
            worst = worst or error.exit_code
    if output != "table":
        emit(results, output)
    if worst != DONE:
        raise Ended(worst)


def _encoded(body: Json) -> bytes:
    return as_json(body, indent=None).encode()
