"""What must hold, whatever goes wrong: checked at every commit and at the end."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from penstock.kernel.codec import JournalEntry, decode_entry
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished, EventArrived, ResumeRequested, Started, TimerFired
from penstock.kernel.nodes import Program
from penstock.kernel.state import ENDED, RunState
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.envelopes import pack_state, unpack_state
from penstock.runtime.history import replay
from penstock.store.rows import CommitOutcome, Committed, JournalRow, RunCommit
from penstock.store.sqlite import reads
from penstock.testing.inbox_rule import InboxRule
from penstock.testing.ingredients import TTL_S
from penstock.testing.store import SimulatedDisk
from penstock.testing.time_rule import untimely
from penstock.testing.trace import Trace

_ALL: Final = 1_000_000
Programs = Callable[[WorkflowIdentity], Program]


class Writers(Protocol):
    """Who may write now."""

    def wrong(self, node: str, turn: RunCommit) -> str | None:
        """Why the process that runs now, as this member, must not write this turn at this instant."""
        ...

    def not_held(self, node: str, run_id: str) -> str | None:
        """Why this member must not move this run at this instant."""
        ...

    def now_ms(self) -> int:
        """By the clock of the process that runs now."""
        ...


class Violation(msgspec.Struct, frozen=True):
    """A rule that did not hold."""

    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


class _Known(msgspec.Struct):
    version: int = 0
    status: str = "pending"
    journal: list[JournalRow] = []
    state: RunState | None = None
    retry_of: str = ""


class Oracle:
    """Implements `penstock.testing.store.Witness`: knows each run by what was written, not by what is read."""

    def __init__(
        self,
        disk: SimulatedDisk,
        trace: Trace,
        writers: Writers,
        programs: Programs,
        *,
        ordered: bool = False,
    ) -> None:
        self.violations: list[Violation] = []
        self.started: dict[str, str] = {}
        """The run of each acknowledged start."""
        self.dispatches: dict[str, int] = {}
        self.turns = 0
        self.inbox = InboxRule(disk)
        self._disk = disk
        self._trace = trace
        self._session = disk.session
        self._writers = writers
        self._ordered = ordered
        """Whether the order of events is judged: a look back that fails may be made up for after newer ones came."""
        self._programs = programs
        self._runs: dict[str, _Known] = {}
        self._intents: set[str] = set()
        self._keys: dict[str, tuple[str, str]] = {}
        self._taken: set[tuple[str, str, str]] = set()
        self._resumed: set[str] = set()
        self._last_taken: dict[tuple[str, str], int] = {}
        self._answered: dict[tuple[str, str], bool] = {}

    def violate(self, rule: str, detail: str) -> None:
        self.violations.append(Violation(rule, detail))

    # At every commit

    def wrote(self, node: str, turns: Sequence[RunCommit], outcomes: Sequence[CommitOutcome]) -> None:
        now = self._writers.now_ms()
        for turn, outcome in zip(turns, outcomes, strict=True):
            if isinstance(outcome, Committed):
                if (wrong := self._writers.wrong(node, turn)) is not None:
                    self.violate("one engine moves a run", f"{turn.run.id}: {wrong}")
                self.turns += 1
                self._turn(turn, now)

    def transacted(self) -> None:
        """New inbox rows may be there."""
        self.inbox.look()

    def _turn(self, turn: RunCommit, now: int) -> None:
        run_id, known = turn.run.id, self._runs.setdefault(turn.run.id, _Known(journal=[]))
        numbers = [row.seq for row in turn.journal]
        wanted = list(range(known.version + 1, turn.version + 1))
        if turn.expected_version != known.version or numbers != wanted or not numbers:
            self.violate("versions rise by one", f"{run_id} is at {known.version}; a turn wrote {numbers}")
        if known.status in ENDED:
            self.violate("an end is an end", f"{run_id} was {known.status}, then {turn.run.status}")
        known.version, known.status = turn.version, turn.run.status
        known.retry_of = known.retry_of or turn.run.retry_of
        known.journal += turn.journal
        state, _, _ = unpack_state(turn.state)
        self._intents.update(invoke.call_id for invoke in state.calls)
        if (turn.run.next_at, turn.run.calling) != (state.next_at, bool(state.calls) and not state.ended):
            self.violate("the row tells of the state", run_id)
        entries = [decode_entry(row.body)[0] for row in turn.journal]
        messages = ", ".join(type(entry.message).__name__ for entry in entries)
        self._trace.note(f"turn of {run_id}: {messages} -> version {turn.version}, {turn.run.status}")
        for entry in entries:
            self._message(run_id, entry)
        if (wrong := untimely(known.state, entries, now)) is not None:
            self.violate("time goes on, and no timer is early", f"{run_id}: {wrong}")
        overtaken = self.inbox.overtaken(run_id, known.state)
        if overtaken is not None and isinstance(entries[0].message, TimerFired):
            self.violate("a stored answer beats its time-out", f"{run_id}: {overtaken}")
        self.inbox.moved(run_id)
        self.inbox.consumed(turn.consumed)
        known.state = state

    def _message(self, run_id: str, entry: JournalEntry) -> None:
        match entry.message:
            case EventArrived(event=event) if event.is_loaded:
                key = (run_id, str(event.data["source"]), str(event.data["id"]))
                if key in self._taken:
                    self.violate("a run takes an event once", f"{key}")
                self._taken.add(key)
                lasts = event.data.get("penstockttl") == TTL_S  # others end sooner by the clock of one than of another
                if self._ordered and lasts:
                    self._in_order(run_id, key)
            case ResumeRequested():
                self._resumed.add(run_id)
            case CallFinished(call_id=call_id, fault=fault):
                if self._answered.get((run_id, call_id)):
                    self.violate("a call is answered once", f"{call_id} of {run_id}")
                self._answered[run_id, call_id] = fault is None or not fault.unknown_outcome
            case _:
                pass

    def _in_order(self, run_id: str, key: tuple[str, str, str]) -> None:
        """What a run takes of one correlation key (by which the events of actors are named) comes in order."""
        ((seq,),) = self._disk.look("event_seq", *key[1:])
        place = (run_id, key[2].rpartition("/")[0])
        if seq < (last := self._last_taken.get(place, 0)):
            self.violate("events come in order", f"{key} is {seq}, after {last}")
        self._last_taken[place] = seq

    def delivered(self, node: str, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            if (wrong := self._writers.not_held(node, run_id)) is not None:
                self.violate("only its engine brings a run events", f"{run_id}: {wrong}")

    def dispatched(self, run_id: str, invoke: Invoke) -> None:
        """A service got a request."""
        key = invoke.call_id
        if key not in self._intents:
            self.violate("no dispatch before its commit", f"{key} of {run_id}")
        if self._keys.setdefault(key, (run_id, invoke.reference)) != (run_id, invoke.reference):
            self.violate("a key belongs to one call", f"{key}: {self._keys[key]} and {(run_id, invoke.reference)}")
        self.dispatches[key] = self.dispatches.get(key, 0) + 1

    # At the end

    def unended(self) -> list[str]:
        """Runs that have not ended."""
        return [run_id for run_id, known in self._runs.items() if known.status not in ENDED]

    def was_resumed(self, run_id: str) -> bool:
        """Whether the run took a request to go on."""
        return run_id in self._resumed

    def retried(self) -> list[tuple[str, str]]:
        """(run, the run that it retries)."""
        return [(run_id, known.retry_of) for run_id, known in self._runs.items() if known.retry_of]

    def finish(self, labels: Iterable[str]) -> None:
        """When everything should be over."""
        for key, run_id in self.started.items():
            if run_id not in self._runs:
                self.violate("what was acknowledged is never lost", f"start {key} as {run_id}")
        for key in labels:
            labelled = reads.list_runs(self._session, {"start": key}, "", _everything())
            rows = [row for row in labelled if not row.retry_of]
            if len(rows) > 1:
                self.violate("a key starts one run", f"{key}: {[row.id for row in rows]}")
        for run_id, known in self._runs.items():
            self._on_disk(run_id, known)
        for rule, statement in _LEFTOVERS:
            if found := self._disk.look(statement):
                self.violate(rule, str(found[:3]))

    def _on_disk(self, run_id: str, known: _Known) -> None:
        stored = reads.load_run(self._session, run_id)
        if stored is None or stored.version != known.version:
            self.violate("what is written stays", f"{run_id} at {known.version}: {stored and stored.version}")
            return
        if reads.journal(self._session, run_id, 0, _ALL) != known.journal:
            self.violate("a journal only grows", run_id)
            return
        if (again := self.replayed(run_id, known.journal)) != stored.state:
            self.violate("the journal gives the state", run_id if again else f"{run_id} cannot be replayed")

    def replayed(self, run_id: str, journal: Sequence[JournalRow]) -> bytes | None:
        """The stored form of the state that the journal gives; of what the kernel did not make, the kept one."""
        state: RunState | None = None
        program: Program | None = None
        try:
            for row in journal:
                kept = reads.checkpoint(self._session, run_id, row.seq)
                if kept is not None and kept[0] == row.seq:
                    state, missing, _ = unpack_state(kept[1])
                    self._load(run_id, missing)
                    continue
                entry, missing = decode_entry(row.body)
                self._load(run_id, missing)
                if program is None:
                    program = self._programs(_workflow(state, entry))
                state = replay(program, state, entry)
        except Exception as error:  # a replay that fails is a finding like any other
            self.violate("the journal can be replayed", f"{run_id}: {type(error).__name__}: {error}")
            return None
        return pack_state(state)[0] if state else None

    def _load(self, run_id: str, missing: list[Value]) -> None:
        found = reads.load_values(self._session, run_id, [value.digest for value in missing])
        for value in missing:
            value.load(found[value.digest])


def _workflow(state: RunState | None, entry: JournalEntry) -> WorkflowIdentity:
    if state is not None:
        return state.workflow
    assert isinstance(entry.message, Started)
    return entry.message.workflow


def _everything() -> dict[str, Json]:
    names = ("status", "namespace", "name", "since", "until", "before")
    return {**dict.fromkeys(names), "limit": _ALL}


_LEFTOVERS: Final = (
    ("no inbox row stays", "inbox_rows"),
    ("no listener outlives its run", "listeners"),
    ("no deadline outlives its run", "deadlines"),
    ("no call outlives its run", "calls"),
    ("every event is routed", "unrouted_events"),
)
