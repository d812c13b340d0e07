"""Compiled workflows by identity: a bounded cache over the store's definitions."""

from collections import OrderedDict

import msgspec

from penstock.errors import InfrastructureError, Unprocessable
from penstock.kernel import Program, Resources, compile_program
from penstock.model import load_data
from penstock.model.limits import MAX_CACHED_PROGRAMS
from penstock.model.workflow import Workflow, WorkflowIdentity
from penstock.store.protocol import Store
from penstock.store.rows import StoredWorkflow


class BrokenDefinition(InfrastructureError):
    """A stored definition that this Penstock cannot compile."""


class Programs:
    """Definitions are immutable, so what is cached is never wrong."""

    def __init__(self, store: Store, most: int = MAX_CACHED_PROGRAMS) -> None:
        self._store = store
        self._most = most
        self._programs: OrderedDict[WorkflowIdentity, tuple[Program, Resources]] = OrderedDict()

    def cached(self, identity: WorkflowIdentity) -> Program | None:
        """The program if it is in memory."""
        if (found := self._programs.get(identity)) is None:
            return None
        self._programs.move_to_end(identity)
        return found[0]

    async def get(self, identity: WorkflowIdentity) -> Program | None:
        """The program of a stored definition, deleted ones too; None when there never was one.

        Raises `BrokenDefinition` when the stored definition cannot be compiled any more.
        """
        return None if (found := await self.get_with_resources(identity)) is None else found[0]

    async def get_with_resources(self, identity: WorkflowIdentity) -> tuple[Program, Resources] | None:
        """Like `get`, with the documents that were pinned when the workflow was deployed."""
        if self.cached(identity) is not None:
            return self._programs[identity]
        stored = await self._store.get_workflow_for_runs(identity.namespace, identity.name, identity.version)
        if stored is None:
            return None
        resources = stored_resources(stored)
        try:
            program = compile_program(stored_workflow(stored), resources)
        except Unprocessable as error:
            raise BrokenDefinition(f"the stored definition of {identity} no longer compiles: {error}") from error
        self._programs[identity] = (program, resources)
        while len(self._programs) > self._most:
            self._programs.popitem(last=False)
        return program, resources


def stored_workflow(stored: StoredWorkflow) -> Workflow:
    """The workflow of a stored definition."""
    name = f"{stored.namespace}/{stored.name}:{stored.version}"
    loaded = load_data(msgspec.json.decode(stored.definition), name=name)
    if loaded.workflow is None:
        raise BrokenDefinition(f"the stored definition of {name} no longer loads: {loaded.errors[0]}")
    return loaded.workflow


def stored_resources(stored: StoredWorkflow) -> Resources:
    """The documents that were pinned when the workflow was deployed."""
    return Resources(documents=msgspec.json.decode(stored.resources) if stored.resources else {})
