"""`penstock show`: a run with the tree of its tasks, or a workflow."""

import click

from penstock.cli.api import Api, segment
from penstock.cli.exits import INVALID, NOT_FOUND, CommandFailed
from penstock.cli.members import list_of, map_of
from penstock.cli.options import api_of, output_option, server_options
from penstock.cli.output import Format, as_json, colored, emit
from penstock.cli.references import WorkflowName, may_name_a_run, run_id, run_path, workflow_name
from penstock.cli.spans import between
from penstock.cli.tree import draw, lines_of
from penstock.model.json_value import Json
from penstock.model.plain_data import is_map
from penstock.model.source import UnreadableDocument, read_source


@click.command()
@click.argument("what", metavar="ID|[NAMESPACE/]NAME[:VERSION]")
@output_option
@server_options
@click.pass_context
def show(context: click.Context, what: str, output: Format) -> None:
    """Show a run with its tasks, or a workflow with its text.

    A run is named by its id, a beginning of it that no other has, or @last, the newest of the server.
    """
    api = api_of(context)
    if not may_name_a_run(what):
        _show_workflow(api, what, output)
        return
    try:
        run = api.get(run_path(run_id(api, what)))
    except CommandFailed as error:
        if error.exit_code != NOT_FOUND or not _shown_by_name(api, what, output):
            raise
        return
    if output == "table":
        _print_run(run, _place(api, run))
    else:
        emit(run, output)


def _print_run(run: dict[str, Json], place: str) -> None:
    workflow = run["workflow"]
    lasted = between(run.get("created_at"), run.get("ended_at"))
    labels = ", ".join(f"{key}={value}" for key, value in map_of(run.get("labels")).items())
    rows = [
        ("run", str(run["id"])),
        ("workflow", f"{workflow['namespace']}/{workflow['name']}:{workflow['version']}"),
        ("status", colored(str(run["status"]))),
        ("created", str(run["created_at"])),
        ("ended", f"{run['ended_at']} (after {lasted})" if run.get("ended_at") else ""),
        ("labels", labels),
        ("parent", str(run.get("parent_id") or "")),
        ("retry of", str(run.get("retry_of") or "")),
        ("input", as_json(run.get("input"), indent=None)),
        ("output", as_json(run["output"], indent=None) if run["status"] == "completed" else ""),
        ("error", _error(run.get("error"), place)),
    ]
    for head, value in rows:
        if value:
            click.echo(f"{click.style(head.ljust(9), dim=True)} {value}")
    lines = lines_of(list_of(run.get("tasks")))
    if lines:
        click.echo(click.style("tasks", dim=True))
        for line in draw(lines, lambda text, status: colored(status).replace(status, text)):
            click.echo(f"  {line}")


def _place(api: Api, run: dict[str, Json]) -> str:
    """Where the task that faulted stands in the text that was deployed; "" when that is not known."""
    instance = map_of(run.get("error")).get("instance")
    workflow = run["workflow"]
    if not isinstance(instance, str) or not instance:
        return ""
    name = WorkflowName(str(workflow["namespace"]), str(workflow["name"]), str(workflow["version"]))
    try:
        text = api.get(f"{name.path}/{segment(name.version)}").get("source") or ""
        line, column = read_source(str(text)).locate_key(instance) if text else (0, 0)
    except (CommandFailed, UnreadableDocument):
        return ""  # deleted since, or of another notation
    return f", line {line}, column {column} of its text" if line else ""


def _error(error: Json, place: str) -> str:
    if not is_map(error):
        return ""
    reason = ": ".join(str(error[part]) for part in ("title", "detail") if error.get(part))
    where = f", at {error['instance']}{place}" if error.get("instance") else ""
    return f"{reason} ({error.get('status')}{where})"


def _shown_by_name(api: Api, given: str, output: Format) -> bool:
    """Whether a workflow has a name that could as well begin a run's id, like `feed`; shows it then."""
    try:
        _show_workflow(api, given, output)
    except CommandFailed as error:
        if error.exit_code in (INVALID, NOT_FOUND):
            return False
        raise
    return True


def _show_workflow(api: Api, given: str, output: Format) -> None:
    name = workflow_name(api, given)
    found = api.get(f"{name.path}/{segment(name.version)}" if name.version else name.path)
    if output != "table":
        emit(found, output)
    elif found.get("source"):
        click.echo(str(found["source"]).rstrip("\n"))
    else:
        emit(found["definition"], "yaml")
