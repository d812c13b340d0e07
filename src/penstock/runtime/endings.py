"""How a turn ends well: it is on disk, or there was nothing to write. Who waited is told, what remains is kept."""

from collections.abc import Callable, Iterable
from typing import Protocol

from penstock.errors import InfrastructureError
from penstock.kernel.messages import ResumeRequested
from penstock.runtime.leftovers import Leftovers
from penstock.runtime.live import LiveRuns
from penstock.runtime.mail import Queued, TurnResult
from penstock.runtime.mailboxes import Mailboxes
from penstock.runtime.metrics import Metrics
from penstock.runtime.turn import Turn
from penstock.runtime.turn_commit import Prepared
from penstock.store.rows import Committed


class Aftermath(Protocol):
    """What follows a commit."""

    def before(self, prepared: Prepared) -> None:
        """Called before the commit, so that routers look for what this turn listens to."""
        ...

    def dropped(self, prepared: Prepared) -> None:
        """What was announced by `before` did not happen."""
        ...

    def committed(self, prepared: Prepared, outcome: Committed) -> None:
        """Dispatches, cancels, routes, wakes: everything that the turn asked of the world."""
        ...

    def consumed(self, inbox_seqs: tuple[int, ...]) -> None:
        """These inbox rows are gone from the store."""
        ...

    def offer_held(self, run_id: str) -> None:
        """The run has events that it did not take, or new listeners: they may fit by now."""
        ...

    def look_again(self) -> None:
        """A commit happened of which not everything is known: read the inbox and the events again."""
        ...

    def rests(self, run_id: str, until: int) -> None:
        """Nothing changed; the run has a deadline that is still to come."""
        ...

    def turned_away(self, run_id: str, items: Iterable[Queued]) -> None:
        """The run is another node's, and these messages with it."""
        ...

    def forget(self, inbox_seqs: Iterable[int]) -> None:
        """These inbox rows are no longer in memory, though they may be in the store."""
        ...

    def not_owned(self, run_id: str) -> None:
        """The store says that this node does not hold the run."""
        ...


class Endings:
    """Ends turns. The caller has seen the commit's outcome."""

    def __init__(
        self,
        *,
        aftermath: Aftermath,
        boxes: Mailboxes,
        live: LiveRuns,
        leftovers: Leftovers,
        metrics: Metrics,
        owns: Callable[[str], bool],
        close: Callable[[Turn], None],
    ) -> None:
        self._aftermath = aftermath
        self._boxes = boxes
        self._live = live
        self._leftovers = leftovers
        self._metrics = metrics
        self._owns = owns
        self._close = close

    def unchanged(self, prepared: Prepared) -> None:
        """Nothing but messages without meaning came."""
        turn = prepared.turn
        if not self._owns(turn.run_id):
            # Judged by a state of the time before: its node judges anew.
            self._aftermath.turned_away(turn.run_id, turn.mail)
            self._close(turn)
            return
        self._leftovers.add(prepared.consumed)
        self._answer(prepared)
        self._hold(turn, anew=False)
        if turn.poisoned:
            self._boxes.poison(turn.run_id, turn.poisoned)
        if turn.base is not None:
            self._live.put(turn.base)
            next_at = turn.base.run.next_at
            if next_at is not None and next_at > turn.now:
                self._aftermath.rests(turn.run_id, next_at)
        goes_on = turn.state is not None and bool(turn.state.runnable) and not turn.state.ended
        self._close(turn)
        if goes_on and turn.mail and self._owns(turn.run_id):
            self._boxes.wake(turn.run_id, yielding=True)

    def committed(self, prepared: Prepared, outcome: Committed) -> None:
        """The turn is on disk."""
        turn, state = prepared.turn, prepared.turn.state
        assert state is not None and prepared.after is not None
        self._live.put(prepared.after)
        self._count(prepared)
        if turn.poisoned:
            self._boxes.poison(turn.run_id, turn.poisoned)
        self._aftermath.consumed((*prepared.consumed, *prepared.leftovers))
        self._aftermath.committed(prepared, outcome)
        self._answer(prepared)
        if state.ended:
            self.discard(turn.held)
            self.discard(self._boxes.release_held(turn.run_id) + self._boxes.release_poisoned(turn.run_id))
        else:
            self._hold(turn, anew=bool(prepared.writes and prepared.writes.subscribe))
        if any(isinstance(item.message, ResumeRequested) and not stale for item, stale in turn.settled):
            self._boxes.put_back(turn.run_id, self._boxes.release_poisoned(turn.run_id))
        self._close(turn)
        goes_on = state.runnable and not state.ended and state.status != "suspended"
        if goes_on and self._owns(turn.run_id):
            self._boxes.wake(turn.run_id, yielding=True)

    def discard(self, items: Iterable[Queued]) -> None:
        """Forgets inbox messages that mean nothing any more."""
        self._leftovers.add(item.inbox_seq for item in items if item.inbox_seq)

    def _hold(self, turn: Turn, *, anew: bool) -> None:
        """Keeps events that came before their listener; they are offered when there is something new to offer."""
        dropped = self._boxes.hold(turn.run_id, turn.held)
        self._leftovers.add(item.inbox_seq for item in dropped)
        if not self._owns(turn.run_id):
            return
        if turn.held or (anew and self._boxes.holds(turn.run_id)):
            self._aftermath.offer_held(turn.run_id)

    def _answer(self, prepared: Prepared) -> None:
        run = prepared.commit.run if prepared.commit else (prepared.turn.base.run if prepared.turn.base else None)
        for item, stale in prepared.turn.settled:
            item.answer(TurnResult(run, prepared.turn.state, stale))
        for item in prepared.turn.poisoned:
            item.refuse(InfrastructureError(prepared.turn.failure))

    def _count(self, prepared: Prepared) -> None:
        turn, state = prepared.turn, prepared.turn.state
        for item, stale in turn.settled:
            if stale:
                self._metrics.stale.inc()
            else:
                self._metrics.messages.labels(type(item.message).__name__).inc()
        if turn.base is None:
            self._metrics.runs_started.inc()
        if state is not None and state.ended:
            self._metrics.runs_ended.labels(state.status).inc()
