"""One run's turn: its waiting messages, stepped in order, and everything that goes into its one commit.

Pure of I/O: the turn loop loads before, evaluates in between, and commits after.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from penstock.kernel import step
from penstock.kernel.codec import FINGERPRINT, JournalEntry, encode_entry
from penstock.kernel.commands import Command
from penstock.kernel.facts import Fact
from penstock.kernel.messages import Continued, EventArrived, Message, ResumeRequested, Started, TimerFired
from penstock.kernel.needs import Answer, Need, Step
from penstock.kernel.nodes import Program
from penstock.kernel.state import RunState
from penstock.model.limits import CHECKPOINT_VERSIONS
from penstock.runtime.beginnings import begins_at, is_unstarted, pending_state
from penstock.runtime.clock import Clock
from penstock.runtime.live import Live
from penstock.runtime.mail import Queued
from penstock.store.rows import JournalRow


class Turn:
    """`advance` until it says that it is done; then `penstock.runtime.turn_commit` makes the commit of it."""

    def __init__(self, run_id: str, mail: Sequence[Queued], *, wake: bool, base: Live | None, clock: Clock) -> None:
        self.run_id = run_id
        self.base = base
        self.state: RunState | None = base.state if base else None
        self.program: Program | None = None
        self.unstarted: Started | None = None
        """The message that a pending run waits to begin with."""
        self.needs: tuple[Need, ...] = ()
        self.journal: list[JournalRow] = []
        self.values: dict[bytes, bytes] = {}
        self.commands: tuple[Command, ...] = ()
        self.settled: list[tuple[Queued, bool]] = []
        self.held: tuple[Queued, ...] = ()
        self.poisoned: tuple[Queued, ...] = ()
        self.failure = ""
        self.keep = False
        """True when the state must be kept as a checkpoint, because no replay gives it."""
        self.attempts = 0
        self._clock = clock
        self.mail = mail
        self.wake = wake
        self._index = 0
        self._item: Queued | None = None
        self._message: Message | None = None
        self._partial: RunState | None = None
        # What came of the message so far. Tuples, since most have one part: taking that over makes nothing new.
        self._given: tuple[Answer, ...] = ()
        self._commands: tuple[Command, ...] = ()
        self._facts: tuple[Fact, ...] = ()

    @property
    def now(self) -> int:
        """The time of the turn: never earlier than the run's last."""
        return max(self._clock.now_ms(), self.state.updated_at if self.state else 0)

    def advance(self, answers: Sequence[Answer] = ()) -> bool:
        """Steps message after message; False when `needs` must be evaluated first.

        Raises whatever the kernel or the codec raise: the caller is the bulkhead, and calls `abandon` then.
        """
        self._given += tuple(answers)
        self.needs = ()
        while self._message is not None or self._begin_next():
            assert self._message is not None and self.program is not None
            known = {answer.key: answer for answer in self._given}
            result = step(self.program, self._partial, self._message, known)
            self._partial = result.state
            self._commands += result.commands
            self._facts += result.facts
            if result.needs:
                self.needs = result.needs
                return False
            self._settle(result)
        return True

    def _begin_next(self) -> bool:
        while self._index < len(self.mail):
            item = self.mail[self._index]
            self._index += 1
            message = replace(item.message, at=self.now)
            if self.state is None and not isinstance(message, Started):
                self.settled.append((item, True))
            elif self.state is None and item.origin and (item.origin.unowned or item.origin.begin_at > self.now):
                assert isinstance(message, Started)
                self._item = item
                begin_at = max(item.origin.begin_at, message.at)
                self.record(pending_state(message, begin_at), message, (), keep=True)
            else:
                self._open(item, self._begun(message))
                return True
        return self._begin_due()

    def _begin_due(self) -> bool:
        """Deadlines count only once every message that was there before them is applied."""
        state, wake = self.state, self.wake
        self.wake = False
        if not wake or state is None or state.next_at is None or state.next_at > self.now:
            return False
        if is_unstarted(state):
            if self.unstarted is None:
                return False  # it was made in this very turn: its deadline wakes it, here or on another node
            self._open(None, self.unstarted_now())
        elif state.runnable or state.parked:
            if self.mail:
                return False  # it goes on behind the others
            self._open(None, Continued(at=self.now))
        else:
            self._open(None, TimerFired(at=self.now))
        return True

    def unstarted_now(self) -> Started:
        assert self.unstarted is not None
        return replace(self.unstarted, at=self.now)

    def _begun(self, message: Message) -> Message:
        resumes = isinstance(message, ResumeRequested) and self.unstarted is not None
        if resumes and self.state and self.state.status == "suspended" and begins_at(self.state) <= self.now:
            return self.unstarted_now()
        return message

    def _open(self, item: Queued | None, message: Message) -> None:
        self._item = item
        self._message = message
        begins = isinstance(message, Started) and self.state is not None and is_unstarted(self.state)
        self._partial = None if begins else self.state

    def _settle(self, result: Step) -> None:
        message = self._message
        assert message is not None
        if not result.stale:
            state = result.state
            if self.state is not None and state.version != self.state.version + 1:
                state = replace(state, version=self.state.version + 1)
            self.record(state, message, self._facts)
            return
        if self._item is not None:
            waits = isinstance(message, EventArrived) and self._item.inbox_seq and self._item.expires_at > message.at
            if waits and self.state is not None and not self.state.ended:
                self.held += (self._item,)
            else:
                self.settled.append((self._item, True))
        self._close()

    def record(self, state: RunState, message: Message, facts: tuple[Fact, ...], *, keep: bool = False) -> None:
        """Takes the state after `message`, with its journal row; `keep` one that the kernel did not make."""
        body, values = encode_entry(JournalEntry(message, self._given, facts))
        self.keep = self.keep or keep
        self.state = state
        self.journal.append(JournalRow(state.version, message.at, body))
        self.values.update(values)
        self.commands += self._commands
        if self._item is not None:
            self.settled.append((self._item, False))
        self._close()

    def _close(self) -> None:
        self._item = self._message = self._partial = None
        self._given = ()
        self._commands = ()
        self._facts = ()

    def abandon(self) -> list[Queued]:
        """Forgets the message that could not be processed; returns it and those behind it."""
        left = [] if self._item is None else [self._item]
        left += self.mail[self._index :]
        self._index = len(self.mail)
        self.wake = False
        self.needs = ()
        self._close()
        return left

    @property
    def needs_checkpoint(self) -> bool:
        """Whether this state is to be kept for time travel."""
        if self.state is None:
            return False
        before = self.base.state.version if self.base else 0
        crossed = self.state.version // CHECKPOINT_VERSIONS > before // CHECKPOINT_VERSIONS
        return self.keep or crossed or (self.base is not None and self.base.fingerprint != FINGERPRINT)
