"""`penstock run`: one document to its end on an engine in memory, without a server."""

import click

from penstock.cli.exits import DONE, Ended
from penstock.cli.local_run import RunOptions, run_document
from penstock.cli.options import output_option
from penstock.cli.output import Format
from penstock.cli.values import read_bytes, read_json, shown_name
from penstock.model.json_value import Json


@click.command()
@click.argument("file")
@click.option("-i", "--input", "input_", metavar="JSON|@FILE|-", help="The run's input; {} when absent.")
@click.option("--secrets", metavar="FILE", help="A JSON or YAML file with secrets, name: value.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="End it after S seconds.")
@click.option("--watch", is_flag=True, help="Draw the tasks while it runs.")
@output_option
@click.pass_context
def run(
    context: click.Context,
    file: str,
    input_: str | None,
    secrets: str | None,
    timeout: float | None,
    watch: bool,
    output: Format,
) -> None:
    """Run one document to its end, without a server.

    The engine lives in memory and ends with the run; nothing is stored. Prints the run's output;
    with -o json {"status", "output", "error"}. FILE may be - for stdin. Ctrl-C cancels the run.
    """
    document = read_bytes(file)
    value: Json = {} if input_ is None else read_json(input_, "--input")
    options = RunOptions(value, secrets or "", timeout, watch, context.color is not False)
    status = run_document(document, shown_name(file), options, output)
    if status != DONE:
        raise Ended(status)
