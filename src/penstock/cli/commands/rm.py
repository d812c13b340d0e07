"""`penstock rm`: ended runs, or a version of a workflow."""

from typing import Final

import click

from penstock.cli.api import Api, segment
from penstock.cli.exits import DONE, INVALID, CommandFailed, Ended
from penstock.cli.options import api_of, dry_run_option, server_options
from penstock.cli.output import talk
from penstock.cli.progress import ENDS
from penstock.cli.references import run_id, run_path, workflow_name

_WORD: Final = "workflow"


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="ID...|workflow [NAMESPACE/]NAME:VERSION...")
@dry_run_option
@server_options
@click.pass_context
def rm(context: click.Context, what: tuple[str, ...], dry_run: bool) -> None:
    """Delete ended runs, or versions of workflows.

    A run that has not ended is a conflict (4): cancel it first. Deleting a version of a workflow lets its runs
    go on; the version must be named.
    """
    api = api_of(context)
    named = what[1:] if what[0] == _WORD else what
    if not named:
        raise click.UsageError(f"rm {_WORD} needs [NAMESPACE/]NAME:VERSION")
    worst = DONE
    for given in named:
        try:
            if what[0] == _WORD or "/" in given or ":" in given:
                _remove_workflow(api, given, dry_run)
            else:
                _remove_run(api, given, dry_run)
        except CommandFailed as error:
            error.show()
            worst = worst or error.exit_code
    if worst != DONE:
        raise Ended(worst)


def _remove_run(api: Api, given: str, dry_run: bool) -> None:
    identifier = run_id(api, given)
    if not dry_run:
        api.request("DELETE", run_path(identifier))
        talk(f"deleted run {identifier}")
        return
    status = str(api.get(run_path(identifier))["status"])
    kept = "" if status in ENDS else "; it would be refused until it ends"
    talk(f"would delete run {identifier}, which is {status}{kept}")


def _remove_workflow(api: Api, given: str, dry_run: bool) -> None:
    name = workflow_name(api, given)
    if not name.version:
        message = f"which version of {given}?"
        raise CommandFailed(INVALID, message, advice=f"`penstock rm workflow {given}:VERSION`")
    identity = f"{name.namespace}/{name.name}"
    path = f"{name.path}/{segment(name.version)}"
    if dry_run:
        found = api.get(path)
        talk(f"would delete workflow {identity}:{found['version']}")
        return
    api.request("DELETE", path)
    talk(f"deleted workflow {identity}:{name.version}")
