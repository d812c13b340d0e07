"""`penstock deploy`: documents to a server."""

from typing import Final

import click

from penstock.cli.api import Api
from penstock.cli.exits import DONE, INVALID, CommandFailed, Ended
from penstock.cli.options import api_of, dry_run_option, output_option, server_options
from penstock.cli.output import Format, emit, talk
from penstock.cli.problems import findings_of, place_line
from penstock.cli.values import read_bytes, shown_name
from penstock.model.json_value import Json

_PATH: Final = "/api/v1/workflows"
_YAML: Final = "application/yaml"
"""JSON documents, too, can be read as YAML."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@dry_run_option
@output_option
@server_options
@click.pass_context
def deploy(context: click.Context, files: tuple[str, ...], dry_run: bool, output: Format) -> None:
    """Store workflows on a server.

    A version that is there with the same content is left as it is; with another content it is a conflict (4).
    FILE may be - for stdin, and in any notation that the server knows. --dry-run asks the server for findings only.
    """
    api = api_of(context)
    documents = [(shown_name(path), read_bytes(path)) for path in files]
    results: list[Json] = []
    worst = DONE
    for name, text in documents:
        try:
            results.append(_check(api, name, text) if dry_run else _deploy(api, name, text, output))
        except CommandFailed as error:
            error.show()
            worst = worst or error.exit_code
    if output != "table":
        emit(results, output)
    if worst != DONE:
        raise Ended(worst)


def _deploy(api: Api, name: str, text: bytes, output: Format) -> Json:
    answer = api.request("POST", _PATH, (), text, media=_YAML, document=name)
    stored: dict[str, Json] = answer.body
    _tell_findings(stored.get("warnings"), name)
    identity = f"{stored['namespace']}/{stored['name']}:{stored['version']}"
    if output == "table":
        click.echo(identity)
    talk(f"{'deployed' if answer.status == 201 else 'unchanged'} {identity} from {name}")
    return {**stored, "file": name, "created": answer.status == 201}


def _check(api: Api, name: str, text: bytes) -> Json:
    found: dict[str, Json] = api.request("POST", f"{_PATH}:check", (), text, media=_YAML, document=name).body
    _tell_findings(found.get("warnings"), name)
    if not found["valid"]:
        places = [place_line(finding, name) for finding in findings_of(found.get("errors"))]
        raise CommandFailed(INVALID, f"{name} is not valid", places=places)
    talk(f"{name} can be deployed (dry run: nothing is stored)")
    return {**found, "file": name}


def _tell_findings(found: Json, name: str) -> None:
    for finding in findings_of(found):
        talk(place_line({"severity": "warning", **finding}, name))
