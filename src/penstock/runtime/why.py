"""Why a run stands where it stands: what it waits for, made from what is on disk."""

from typing import Final

import msgspec

from penstock.errors import NotFound
from penstock.kernel.commands import Invoke
from penstock.kernel.instants import rfc3339
from penstock.model.json_value import Json
from penstock.model.limits import MAX_WHY_ROWS
from penstock.model.plain_data import is_list, is_map
from penstock.runtime.directory import Directory
from penstock.runtime.dispatch import Dispatch
from penstock.runtime.envelopes import unpack_listener
from penstock.runtime.history import History
from penstock.runtime.live import Live
from penstock.runtime.masking import Mask
from penstock.runtime.programs import Programs
from penstock.runtime.waits import Suspension, Wait, waits_of
from penstock.store.protocol import Store

_PAGE: Final = 200


class RunWhy(msgspec.Struct, frozen=True):
    """What a run waits for; nothing when it has ended."""

    id: str
    workflow: str
    status: str
    ended_at: int
    waits: tuple[Wait, ...]

    def as_json(self, mask: Mask) -> dict[str, Json]:
        """`GET /api/v1/runs/{id}/why`, without secrets."""
        waits: list[Json] = [masked(wait.as_json(), mask) for wait in self.waits]
        return {
            "id": self.id,
            "workflow": self.workflow,
            "status": self.status,
            "ended_at": rfc3339(self.ended_at) if self.ended_at else None,
            "waits": waits,
        }


class RunQuestions:
    """Read only."""

    def __init__(
        self, store: Store, programs: Programs, history: History, dispatch: Dispatch, directory: Directory
    ) -> None:
        self._store = store
        self._programs = programs
        self._history = history
        self._dispatch = dispatch
        self._directory = directory

    async def why(self, live: Live) -> RunWhy:
        """What the run waits for. Raises `NotFound` when its workflow cannot be had any more."""
        state, run = live.state, live.run
        identity = f"{run.namespace}/{run.name}:{run.version}"
        if state.ended:
            return RunWhy(run.id, identity, state.status, state.ended_at, ())
        program = await self._programs.get(state.workflow)
        if program is None:
            raise NotFound(f"the definition of {identity} is gone")
        rows = await self._store.subscriptions_of(run.id)
        listeners = {(row.entry, row.filter): unpack_listener(row.body) for row in rows}
        reasons = {call.call_id: reason for call in live.calls if (reason := self._reason(call)) is not None}
        held = await self._suspension(live) if state.status == "suspended" else None
        waits = waits_of(state, program, listeners, reasons, held)
        return RunWhy(run.id, identity, state.status, 0, tuple(waits))

    def _reason(self, call: Invoke) -> str | None:
        """Why a call has not begun. The node that holds the run knows; any other knows the registered tools."""
        if (reason := self._dispatch.reason(call.call_id)) is not None or call.kind != "capability":
            return reason
        arguments: Json = call.arguments.data
        name = str(arguments.get("name")) if is_map(arguments) else ""
        return None if self._directory.provides(name) else f"no tool is registered for the capability {name!r}"

    async def _suspension(self, live: Live) -> Suspension | None:
        """Since when the run is held, if that is among its last messages."""
        before, left = live.state.version + 1, MAX_WHY_ROWS
        while left > 0 and (rows := await self._store.journal_tail(live.run.id, before, min(_PAGE, left))):
            for row in rows:
                for fact in (await self._history.entry(live.run.id, row, values=False)).facts:
                    if fact.type == "run.suspended":
                        return Suspension(fact.at, fact.detail if isinstance(fact.detail, str) else "")
            left -= len(rows)
            before = rows[-1].seq
        return None


def masked(value: Json, mask: Mask) -> Json:
    """The value without secrets in its texts."""
    match value:
        case str():
            return mask(value)
        case _ if is_map(value):
            return {name: masked(member, mask) for name, member in value.items()}
        case _ if is_list(value):
            return [masked(item, mask) for item in value]
        case _:
            return value
