"""How people name things: `namespace/name:version` or the name alone, unique prefixes of run ids, `@last`."""

import re
from typing import Final, NamedTuple

from penstock.cli.api import Api, segment
from penstock.cli.exits import CONFLICT, INVALID, NOT_FOUND, CommandFailed
from penstock.model.limits import MAX_LISTED

LAST: Final = "@last"
_RUNS: Final = "/api/v1/runs"
_WORKFLOWS: Final = "/api/v1/workflows"
_USUAL: Final = "default"
"""The namespace that is meant by a name alone when several have it."""
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PREFIX: Final = re.compile(r"[0-9a-f][0-9a-f-]{0,35}", re.ASCII)
_WORKFLOW: Final = re.compile(r"(?:([^/:\s]+)/)?([^/:\s]+)(?::([^/:\s]+))?")


class WorkflowName(NamedTuple):
    """A workflow as people name it; `version` is "" when they name none."""

    namespace: str
    name: str
    version: str

    @property
    def path(self) -> str:
        """Where its versions stand in the API."""
        return f"{_WORKFLOWS}/{segment(self.namespace)}/{segment(self.name)}"


def workflow_name(api: Api, given: str) -> WorkflowName:
    """The workflow that `[NAMESPACE/]NAME[:VERSION]` means; anything else is wrong usage.

    A name alone is that of the one namespace that has it, or of `default` among several; else the server's namespaces
    are told. A name with its namespace is not looked up.
    """
    found = _WORKFLOW.fullmatch(given)
    if found is None:
        advice = "`penstock ls workflows` lists them"
        raise CommandFailed(INVALID, f"{given[:200]!r} is not [NAMESPACE/]NAME[:VERSION]", advice=advice)
    namespace, name, version = found[1], found[2], found[3] or ""
    return WorkflowName(namespace or _namespace_of(api, name, version), name, version)


def _namespace_of(api: Api, name: str, version: str) -> str:
    """The namespace that has the workflow."""
    any_version = version in ("", "latest")
    having = {
        str(workflow["namespace"])
        for workflow in api.items(_WORKFLOWS, most=MAX_LISTED)
        if workflow["name"] == name and (any_version or workflow["version"] == version)
    }
    shown = f"{name[:200]}:{version[:200]}" if version else name[:200]
    if not having:
        advice = "`penstock ls workflows` lists those that there are"
        raise CommandFailed(NOT_FOUND, f"there is no workflow {shown} in any namespace", advice=advice)
    if len(having) > 1 and _USUAL not in having:
        message = f"several namespaces have a workflow {shown}: {', '.join(sorted(having))}"
        raise CommandFailed(CONFLICT, message, advice=f"name one of them: {min(having)}/{shown}")
    return having.pop() if len(having) == 1 else _USUAL


def may_name_a_run(given: str) -> bool:
    """Whether it looks like a run's id, the beginning of one, or `@last`."""
    return given == LAST or _PREFIX.fullmatch(given.lower()) is not None


def run_path(run_id: str) -> str:
    return f"{_RUNS}/{run_id}"


def run_id(api: Api, given: str) -> str:
    """The whole id that a prefix or `@last` (the newest run of the server) means."""
    if given == LAST:
        return _newest(api)
    wanted = given.lower()
    if _ID.fullmatch(wanted):
        return wanted
    if not _PREFIX.fullmatch(wanted):
        advice = "`penstock ls` lists the runs; @last is the newest"
        raise CommandFailed(INVALID, f"{given[:100]!r} is no run id, and no beginning of one", advice=advice)
    return _completed(api, wanted)


def _newest(api: Api) -> str:
    for run in api.items(_RUNS, most=1):
        return str(run["id"])
    raise CommandFailed(NOT_FOUND, "@last: there is no run yet", advice="`penstock start NAME` starts one")


def _completed(api: Api, prefix: str) -> str:
    found = [str(run["id"]) for run in api.items(_RUNS, [("id_prefix", prefix)], most=2)]
    if not found:
        raise CommandFailed(NOT_FOUND, f"there is no run whose id begins with {prefix!r}")
    if len(found) > 1:
        message = f"the ids of several runs begin with {prefix!r}, {found[0]} and {found[1]} among them"
        raise CommandFailed(CONFLICT, message, advice="more characters of the id")
    return found[0]
