"""The rules of time: a run's never goes back, and no deadline is met early by the clock of whoever meets it."""

from collections.abc import Sequence

from penstock.kernel.codec import JournalEntry
from penstock.kernel.messages import TimerFired
from penstock.kernel.state import RunState
from penstock.runtime.beginnings import begins_at, is_unstarted


def untimely(before: RunState | None, entries: Sequence[JournalEntry], now: int) -> str | None:
    """What is wrong with the instants of a turn that began from `before`; `now` is the clock of its engine."""
    last = before.updated_at if before else 0
    instants = [entry.message.at for entry in entries]
    if instants != sorted(instants) or instants[0] < last:
        return f"time goes back: {instants} after {last}"
    if instants[-1] > max(now, last):
        return f"{instants[-1]} is later than the engine's clock, {now}, and the run's, {last}"
    if before is None or not isinstance(entries[0].message, TimerFired):
        return None
    due_at = begins_at(before) if is_unstarted(before) else before.next_at
    if due_at is None or due_at > instants[0]:
        return f"a deadline of {due_at} was met at {instants[0]}"
    return None
