"""What deploying gives back, and the names by which runs are started."""

import msgspec

from penstock.errors import CallerError
from penstock.model.workflow import WorkflowIdentity


class Deployed(msgspec.Struct, frozen=True):
    """A stored workflow. `created` is False when the same content was there already."""

    namespace: str
    name: str
    version: str
    created: bool
    warnings: tuple[str, ...] = ()

    @property
    def identity(self) -> WorkflowIdentity:
        return WorkflowIdentity(self.namespace, self.name, self.version)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.version}"


def identity_of(workflow: str | Deployed) -> WorkflowIdentity:
    """`namespace/name` (the latest version) or `namespace/name:version`. Raises `CallerError` for anything else."""
    if isinstance(workflow, Deployed):
        return workflow.identity
    path, _, version = workflow.partition(":")
    namespace, slash, name = path.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise CallerError(f"{workflow!r} names no workflow; write namespace/name or namespace/name:version")
    return WorkflowIdentity(namespace, name, version or "latest")
