"""`penstock prune`: old ended runs go."""

import click

from penstock.cli.api import Api
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, as_json, emit, emit_rows, talk
from penstock.cli.references import workflow_name
from penstock.model.json_value import Json
from penstock.model.limits import MAX_RETAINED_RUNS

Counts = dict[tuple[str, str], int]


@click.command()
@click.option("--older-than", metavar="DURATION", help="Only runs that ended longer ago, like P30D or PT12H.")
@click.option(
    "--keep",
    type=click.IntRange(0, MAX_RETAINED_RUNS),
    metavar="N",
    help="But for the N runs of each workflow that ended last.",
)
@click.option("--workflow", metavar="[NAMESPACE/]NAME", help="Only runs of this workflow, in any version.")
@dry_run_option
@output_option
@server_options
@click.pass_context
def prune(
    context: click.Context,
    older_than: str | None,
    keep: int | None,
    workflow: str | None,
    dry_run: bool,
    output: Format,
) -> None:
    """Delete old ended runs with all that belongs to them, and say how many went.

    With --older-than and --keep only runs go to which both apply. With neither, those go at once that the settings
    and the workflows themselves no longer keep. Live runs, and children of live runs, always stay.
    """
    api = api_of(context)
    given = {"older_than": older_than, "keep": keep, "workflow": None if workflow is None else _whole(api, workflow)}
    wish: dict[str, Json] = {name: value for name, value in given.items() if value is not None}
    counts, more = _prune(api, {**wish, "dry_run": dry_run})
    total = sum(counts.values())
    if output == "table":
        if counts:
            emit_rows(("workflow", "runs"), [("/".join(name), str(runs)) for name, runs in counts.items()])
        least = "at least " if more else ""
        talk(f"would delete {least}{_runs(total)}" if dry_run else f"deleted {_runs(total)}")
        return
    workflows = [{"namespace": space, "name": name, "runs": runs} for (space, name), runs in counts.items()]
    emit({"runs": total, "workflows": workflows, "more": more, "dry_run": dry_run}, output)


def _whole(api: Api, workflow: str) -> str:
    """The workflow with its namespace; the server says what is wrong with other text."""
    if "/" in workflow or ":" in workflow:
        return workflow
    name = workflow_name(api, workflow)
    return f"{name.namespace}/{name.name}"


def _prune(api: Api, wish: dict[str, Json]) -> tuple[Counts, bool]:
    """Asks as often as the server has more to delete; how many runs of each workflow, and whether some were not
    counted."""
    counts: Counts = {}
    while True:
        answer: dict[str, Json] = api.request(
            "POST", "/api/v1/runs:prune", (), as_json(wish, indent=None).encode()
        ).body
        for one in answer["workflows"]:
            name = str(one["namespace"]), str(one["name"])
            counts[name] = counts.get(name, 0) + int(one["runs"])
        if wish["dry_run"] or not answer["more"]:
            return counts, bool(answer["more"])


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
