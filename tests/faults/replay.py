"""A run lived again from its journal: every state it had, and what happened at each of them."""

from collections.abc import Mapping, Sequence

import msgspec

from penstock.kernel import Program
from penstock.kernel.codec import decode_entry
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished, EventArrived, Started, SuspendRequested, TimerFired
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.runtime.envelopes import pack_state, unpack_state
from penstock.runtime.history import replay
from penstock.store.rows import JournalRow


class Life(msgspec.Struct):
    """What a journal tells. Instants are milliseconds UTC."""

    run_id: str
    state: RunState | None = None
    intents: dict[str, tuple[Invoke, int]] = {}
    """The calls that the run was to make, by their keys, and when they were written."""
    answered: dict[str, bool] = {}
    """The calls whose answer was applied, and whether the answer was an output."""
    events: list[tuple[str, str]] = []
    """Source and id of each event that it took, in order."""
    violations: list[str] = []

    @property
    def stored(self) -> bytes:
        """The last state as it is stored."""
        return b"" if self.state is None else pack_state(self.state)[0]


def live_again(
    run_id: str,
    program: Program,
    journal: Sequence[JournalRow],
    kept: Mapping[int, bytes],
    values: Mapping[bytes, bytes],
) -> Life:
    """Replays a journal from its first row. `kept` are states that the kernel did not make, by their version."""
    life = Life(run_id)
    for row in journal:
        entry, missing = decode_entry(row.body)
        _load(missing, values)
        _message(life, entry.message, row.at)
        if row.seq in kept:
            life.state, missing, _ = unpack_state(kept[row.seq])
            _load(missing, values)
        else:
            life.state = replay(program, life.state, entry)
        for invoke in life.state.calls:
            life.intents.setdefault(invoke.call_id, (invoke, row.at))
    return life


def _message(life: Life, message: object, at: int) -> None:
    """What must hold for a message in the state before it."""
    due_at = life.state.next_at if life.state else None
    match message:
        case TimerFired() if due_at is None or at < due_at:
            life.violations.append(f"{life.run_id}: a timer fired at {at} instead of {due_at}")
        case CallFinished(call_id=call_id, fault=fault):
            if life.answered.get(call_id):
                life.violations.append(f"{life.run_id}: call {call_id} was answered twice")
            life.answered[call_id] = fault is None
        case EventArrived(event=event):
            life.events.append((str(event.data["source"]), str(event.data["id"])))
        case SuspendRequested(reason=reason) if reason:
            life.violations.append(f"{life.run_id} was suspended by the engine: {reason}")
        case Started() if life.state is not None and due_at is not None and at < due_at:
            life.violations.append(f"{life.run_id} began at {at} instead of {due_at}")
        case _:
            pass


def _load(missing: Sequence[Value], values: Mapping[bytes, bytes]) -> None:
    for value in missing:
        value.load(values[value.digest])
