"""The bulkhead's way out: a run that the engine cannot process is suspended with a fact, and nothing else happens."""

from collections.abc import Callable

from penstock.errors import Fault
from penstock.kernel import step
from penstock.kernel.facts import Fact
from penstock.kernel.messages import Started, SuspendRequested
from penstock.kernel.state import RunState
from penstock.runtime.beginnings import stillborn_state, suspended, suspended_at_start
from penstock.runtime.mail import Queued
from penstock.runtime.turn import Turn


def suspend(turn: Turn, reason: str) -> None:
    """Puts a suspension in the place of what could not be processed.

    The messages that were not applied are kept in `turn.poisoned`; the store keeps their inbox rows, and resuming
    the run offers them again. A `Started` is not among them: the journal has it.
    """
    left = turn.abandon()
    turn.failure = reason
    state = turn.state
    if state is None:
        _suspend_start(turn, left, reason)
        return
    turn.poisoned = tuple(left)
    if state.ended or state.status == "suspended":
        return
    message = SuspendRequested(at=turn.now, reason=reason)
    if not _by_kernel(turn, state, message):
        after, facts = suspended(state, message.at, reason)
        turn.record(after, message, facts, keep=True)


def _suspend_start(turn: Turn, left: list[Queued], reason: str) -> None:
    for index, item in enumerate(left):
        if isinstance(item.message, Started):
            begin_by_hand(turn, item, lambda started: suspended_at_start(started, reason))
            turn.poisoned = tuple(left[index + 1 :])
            return
        turn.settled.append((item, True))


def stillborn(turn: Turn, item: Queued, fault: Fault) -> None:
    """Makes a run that ends before it begins; every other message to it means nothing."""
    turn.settled.extend((other, True) for other in turn.abandon() if other is not item)
    begin_by_hand(turn, item, lambda started: stillborn_state(started, fault))


def begin_by_hand(turn: Turn, item: Queued, make: Callable[[Started], tuple[RunState, tuple[Fact, ...]]]) -> None:
    """Records a first state that the kernel did not make."""
    assert isinstance(item.message, Started)
    started = Started(
        at=turn.now,
        run_id=item.message.run_id,
        workflow=item.message.workflow,
        input=item.message.input,
        parent=item.message.parent,
        resume=item.message.resume,
    )
    state, facts = make(started)
    turn.record(state, started, facts, keep=True)
    turn.settled.append((item, False))


def _by_kernel(turn: Turn, state: RunState, message: SuspendRequested) -> bool:
    if turn.program is None:
        return False
    try:
        result = step(turn.program, state, message, {})
    except Exception:  # the bulkhead of the bulkhead: the caller suspends by hand then
        return False
    if result.stale or result.needs:
        return False
    turn.commands += result.commands
    turn.record(result.state, message, result.facts)
    return True
