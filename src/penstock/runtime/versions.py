"""Semantic version order (semver.org, item 11), to find the `latest` of a workflow."""

from collections.abc import Iterable
from typing import TypeAlias

from penstock.store.rows import StoredWorkflow

_Part: TypeAlias = tuple[int, int, str]
VersionKey: TypeAlias = tuple[tuple[int, ...], int, tuple[_Part, ...], str]


def version_key(version: str) -> VersionKey:
    """Sorts like semver: 1.2.10 after 1.2.9, 1.0.0-rc.1 before 1.0.0; build metadata only breaks ties."""
    core, _, build = version.partition("+")
    numbers, _, pre = core.partition("-")
    parts = tuple(_part(one) for one in pre.split(".")) if pre else ()
    return tuple(int(n) if n.isdecimal() else 0 for n in numbers.split(".")), 0 if pre else 1, parts, build


def _part(identifier: str) -> _Part:
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)


def latest(workflows: Iterable[StoredWorkflow]) -> StoredWorkflow | None:
    """The highest version; releases are preferred to pre-releases. None when there is none."""
    found = sorted(workflows, key=lambda workflow: version_key(workflow.version))
    releases = [workflow for workflow in found if "-" not in workflow.version.partition("+")[0]]
    return (releases or found or [None])[-1]
