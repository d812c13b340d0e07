"""What follows a commit: calls, cancellations, messages to other runs, events, listeners, deadlines, watchers.

Nothing here is durable and all of it can be made again from the store, so a crash at any point loses nothing.
"""

from collections.abc import Callable, Iterable

from penstock.kernel.commands import CancelCall, Invoke
from penstock.kernel.nodes import Program
from penstock.kernel.topics import TASK_TOPIC, EventTopic
from penstock.runtime.dispatch import Dispatch
from penstock.runtime.events import Router
from penstock.runtime.forwarding import Forwarding
from penstock.runtime.inbox import Inbox
from penstock.runtime.mail import Queued
from penstock.runtime.pulling import Pulling
from penstock.runtime.pushing import Pushing
from penstock.runtime.remote import Remote
from penstock.runtime.shares import NotHeld, Shares
from penstock.runtime.timers import Timers
from penstock.runtime.turn_commit import Prepared
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.store.rows import Committed


class Aftermath:
    """Implements `penstock.runtime.endings.Aftermath` over the parts that act."""

    def __init__(
        self,
        *,
        shares: Shares,
        turns: Turns,
        dispatch: Dispatch,
        pushing: Pushing,
        pulling: Pulling,
        router: Router,
        inbox: Inbox,
        timers: Timers,
        watching: Watching,
        remote: Remote,
        forwarding: Forwarding,
        doubted: Callable[[], None],
    ) -> None:
        self._shares = shares
        self._turns = turns
        self._dispatch = dispatch
        self._pushing = pushing
        self._pulling = pulling
        self._router = router
        self._inbox = inbox
        self._timers = timers
        self._watching = watching
        self._remote = remote
        self._forwarding = forwarding
        self._doubted = doubted

    def before(self, prepared: Prepared) -> None:
        """Makes the filters known that this turn will listen with."""
        if prepared.writes is None or not prepared.writes.subscribe:
            return
        program = prepared.turn.program
        names = dict.fromkeys(row.topic for row in prepared.writes.subscribe.values())
        topics = [topic for name in names if (topic := _topic(program, name)) is not None]
        self._router.before(prepared.turn.run_id, topics)

    def dropped(self, prepared: Prepared) -> None:
        """The turn was not written: nobody listens because of it."""
        if prepared.writes is not None and prepared.writes.subscribe:
            self._router.settled(prepared.turn.run_id)

    def committed(self, prepared: Prepared, outcome: Committed) -> None:
        """The turn is on disk: now the world may learn of it. For a run that goes to another node the rest is its."""
        turn, state, after = prepared.turn, prepared.turn.state, prepared.after
        assert state is not None and after is not None
        ours = self._shares.owns(turn.run_id)
        pending = {invoke.call_id for invoke in after.calls}
        for command in turn.commands:
            match command:
                case Invoke() if ours and command.call_id in pending:
                    self._dispatch.invoke(turn.run_id, state.workflow, command)
                case CancelCall():
                    self._dispatch.cancel(command.call_id)
                case _:
                    pass
        if turn.base is not None:
            # A call that is no longer in the state is over, whether or not a command says so.
            for invoke in turn.base.calls:
                if invoke.call_id not in pending:
                    self._dispatch.cancel(invoke.call_id)
        self._move_work(prepared, ours)
        self._inbox.take(outcome.inbox)
        self._router.notice(outcome.events)
        self._look_back(prepared)
        if ours and not state.runnable:
            assert prepared.commit is not None
            self._timers.note(turn.run_id, prepared.commit.run.next_at)
        if state.ended:
            self._router.ended(turn.run_id)
        self._watching.moved(state)
        self._remote.moved(turn.run_id)

    def _move_work(self, prepared: Prepared, ours: bool) -> None:
        """What was withdrawn is over; what was offered is sent from here, and wakes those who wait for it."""
        writes = prepared.writes
        if writes is None or not (writes.offers or writes.withdraw or writes.withdraw_tools):
            return
        for call_id, tool in (*((call_id, "") for call_id in writes.withdraw), *writes.withdraw_tools):
            self._pushing.withdrawn(call_id, tool)
            self._pulling.withdrawn(call_id, tool)
        self._pulling.offered([row.tool for row in writes.offers.values() if row.kind == "pull"])
        if ours:
            self._pushing.take([row for row in writes.offers.values() if row.kind == "push"])

    def _look_back(self, prepared: Prepared) -> None:
        if prepared.writes is None or not prepared.writes.subscribe:
            return
        ours = self._shares.owns(prepared.turn.run_id)
        if ours and (new := self._router.may_have(prepared.writes.looking_back)):
            self._turns.spawn(self._router.look_back(prepared.turn.run_id, new))
        else:
            self._router.settled(prepared.turn.run_id)

    def consumed(self, inbox_seqs: tuple[int, ...]) -> None:
        self._inbox.consumed(inbox_seqs)

    def offer_held(self, run_id: str) -> None:
        self._turns.spawn(self._router.offer_held(run_id))

    def look_again(self) -> None:
        self._inbox.look_again()
        self._router.look_again()

    def rests(self, run_id: str, until: int) -> None:
        """Another node may have made the run, with a deadline that is not known here."""
        self._timers.note(run_id, until)

    def turned_away(self, run_id: str, items: Iterable[Queued]) -> None:
        """What is in the store finds its node there; what is not is sent. What somebody waited for he sends himself, if
        he still waits: else it would come late, after what he asked for since."""
        items = list(items)
        self._inbox.forget([item.inbox_seq for item in items if item.inbox_seq])
        for item in (item for item in items if not item.inbox_seq):
            if item.waiter is None:
                self._forwarding.add(run_id, item.message)
            else:
                item.refuse(NotHeld(run_id))

    def forget(self, inbox_seqs: Iterable[int]) -> None:
        """They are read again, for whoever they are."""
        self._inbox.forget(inbox_seqs)
        self._inbox.look_again()

    def not_owned(self, run_id: str) -> None:
        """The store knows better who holds the run: it is asked at once."""
        self._shares.doubt(run_id)
        self._doubted()


def _topic(program: Program | None, name: str) -> EventTopic | None:
    if name == TASK_TOPIC.topic:
        return TASK_TOPIC
    return None if program is None else program.topics.get(name)
