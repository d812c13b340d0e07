"""Brings together what a turn needs before it can step: the run's state, its program, and a start that is sound."""

from collections.abc import Sequence

from msgspec.structs import replace

from penstock.errors import CONFIGURATION, RUNTIME, Fault, InfrastructureError
from penstock.kernel.codec import decode_entry
from penstock.kernel.commands import SendMessage
from penstock.kernel.messages import ChildFinished, Started
from penstock.kernel.nodes import Program
from penstock.model.limits import MAX_RUN_DEPTH
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.beginnings import is_unstarted
from penstock.runtime.live import LiveRuns, load_values
from penstock.runtime.mail import Queued
from penstock.runtime.programs import BrokenDefinition, Programs
from penstock.runtime.suspending import stillborn
from penstock.runtime.turn import Turn
from penstock.runtime.versions import latest
from penstock.store.protocol import Store


class Opening:
    """Opens turns: at once from memory, or completely, with the store's help."""

    def __init__(self, store: Store, live: LiveRuns, programs: Programs) -> None:
        self._store = store
        self._live = live
        self._programs = programs

    def at_once(self, turn: Turn) -> bool:
        """Gives the turn its program if everything is in memory; else the turn must be opened by `complete`.

        A start is taken for the first of its run without a look into the store: if it is not, its commit is stale.
        """
        if turn.state is not None:
            turn.program = self._programs.cached(turn.state.workflow)
            return turn.program is not None and not is_unstarted(turn.state)
        first = turn.mail[0].message if turn.mail else None
        if not isinstance(first, Started) or first.parent is not None:
            return False
        turn.program = self._programs.cached(first.workflow)
        return turn.program is not None

    async def complete(self, turn: Turn) -> None:
        """Reads what is missing. Raises `BrokenDefinition`, or `InfrastructureError` when the store fails."""
        if turn.base is None:
            turn.base = await self._live.read(turn.run_id)
            turn.state = turn.base.state if turn.base else None
        if turn.state is None:
            await self._start(turn)
            return
        if is_unstarted(turn.state):
            turn.unstarted = await self._first_message(turn.run_id)
        turn.program = await self._programs.get(turn.state.workflow)
        if turn.program is None:
            raise BrokenDefinition(f"the definition of {turn.state.workflow} is not in the store")

    async def _first_message(self, run_id: str) -> Started:
        rows = await self._store.journal(run_id, 0, 1)
        if not rows:
            raise InfrastructureError(f"the journal of run {run_id} is empty")
        entry, missing = decode_entry(rows[0].body)
        await load_values(self._store, run_id, missing)
        assert isinstance(entry.message, Started)
        return entry.message

    async def _start(self, turn: Turn) -> None:
        """Finds the program of a run that does not exist yet; one that cannot begin ends at once."""
        item = _first_start(turn.mail)
        if item is None:
            return
        started = item.message
        assert isinstance(started, Started)
        found = await self._resolve(started)
        if isinstance(found, Fault):
            stillborn(turn, item, found)
            if started.parent is not None and started.parent.awaited:
                parent = started.parent
                answer = ChildFinished(at=turn.now, child_id=started.run_id, entry=parent.entry, fault=found)
                turn.commands += (SendMessage(parent.run_id, answer),)
            return
        turn.program = found
        item.message = replace(started, workflow=found.identity)

    async def _resolve(self, started: Started) -> Program | Fault:
        if started.parent is not None and started.parent.depth > MAX_RUN_DEPTH:
            return Fault(RUNTIME, 500, "Runtime error", f"runs may start runs at most {MAX_RUN_DEPTH} deep")
        wanted = started.workflow
        identity = await self.identity(wanted)
        program = None if identity is None else await self._programs.get(identity)
        if program is None:
            return Fault(CONFIGURATION, 400, "Configuration error", f"there is no workflow {wanted}")
        return program

    async def identity(self, wanted: WorkflowIdentity) -> WorkflowIdentity | None:
        """The identity with its real version: `latest` is the highest that is not deleted. None when unknown."""
        if wanted.version != "latest":
            return wanted
        found = latest(await self._store.workflow_versions(wanted.namespace, wanted.name))
        return None if found is None else WorkflowIdentity(found.namespace, found.name, found.version)


def _first_start(mail: Sequence[Queued]) -> Queued | None:
    return next((item for item in mail if isinstance(item.message, Started)), None)
