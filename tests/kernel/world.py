"""Runs a workflow through the kernel alone: a clock that is moved by hand, and libjq for what the kernel asks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jq

from penstock.errors import EXPRESSION, Fault
from penstock.kernel import Answer, Need, Program, Resources, compile_program, step
from penstock.kernel.codec import JournalEntry, decode_entry, decode_state, encode_entry, encode_state
from penstock.kernel.commands import Command, Invoke
from penstock.kernel.facts import Fact
from penstock.kernel.messages import (
    CallFinished,
    EventArrived,
    EventMatch,
    Message,
    Started,
    TimerFired,
)
from penstock.kernel.needs import AnswerKey
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.model import load_data
from penstock.model.json_value import Json
from penstock.model.source import read_source

T0 = 1_800_000_000_000
RUN_ID = "01a31b2c-0000-7000-8000-000000000001"


def answer(need: Need) -> Answer:
    """What a worker would say, by the real libjq."""
    variables = {name: value.data for name, value in need.variables.items()}
    text = need.expression
    if "__now" in variables:
        text = f"def now: $__now; {text}"
    try:
        value = jq.compile(text, args=variables).input_text(need.dot.json.decode()).first()
    except StopIteration:
        return Answer(need.key, Value(None))
    except ValueError as error:
        return Answer(need.key, fault=Fault(EXPRESSION, 400, "Expression error", str(error)))
    return Answer(need.key, Value(value))


@dataclass
class Run:
    """One run, its journal and everything that came out of it."""

    program: Program
    state: RunState | None = None
    at: int = T0
    commands: list[Command] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    journal: list[bytes] = field(default_factory=list)
    rounds: int = 0

    def send(self, message: Message) -> "Run":
        """Applies a message, evaluating what it needs, and keeps the journal as the runtime would."""
        answers: dict[AnswerKey, Answer] = {}
        facts: list[Fact] = []
        state = self.state
        while True:
            given = step(self.program, state, message, answers)
            self.commands += given.commands
            facts += given.facts
            state = given.state
            if not given.needs:
                break
            self.rounds += 1
            for need in given.needs:
                answers[need.key] = answer(need)
        if not given.stale:
            entry, large = encode_entry(JournalEntry(message, tuple(answers.values()), tuple(facts)))
            self.journal.append(entry)
            self.large.update(large)
        self.facts += facts
        self.state = state
        return self

    large: dict[bytes, bytes] = field(default_factory=dict)

    def start(self, input_: Json = None) -> "Run":
        identity = self.program.identity
        return self.send(Started(at=self.at, run_id=RUN_ID, workflow=identity, input=Value(input_)))

    def answer(self, output: Json = None, fault: Fault | None = None, call: Invoke | None = None) -> "Run":
        """Answers `call`, or the oldest call that waits."""
        assert self.state is not None
        call = call or self.state.calls[0]
        value = None if fault is not None else Value(output)
        return self.send(CallFinished(at=self.at, call_id=call.call_id, output=value, fault=fault))

    def event(self, event: Json, *matches: tuple[int, int]) -> "Run":
        found = tuple(EventMatch(entry, index) for entry, index in matches)
        return self.send(EventArrived(at=self.at, event=Value(event), matches=found))

    def later(self, ms: int) -> "Run":
        self.at += ms
        return self.send(TimerFired(at=self.at))

    def replayed(self) -> bytes:
        """The state that the journal alone rebuilds, as bytes."""
        state: RunState | None = None
        for row in self.journal:
            entry, references = decode_entry(row)
            for value in references:
                value.load(self.large[value.digest])
            given = step(self.program, state, entry.message, {a.key: a for a in entry.answers})
            assert not given.needs
            assert given.facts == entry.facts
            state = given.state
        assert state is not None
        return encode_state(state)[0]

    def encoded(self) -> bytes:
        assert self.state is not None
        data, large = encode_state(self.state)
        again, references = decode_state(data)
        for value in references:
            value.load(large[value.digest])
        assert again == self.state
        return data

    @property
    def live(self) -> RunState:
        assert self.state is not None
        return self.state

    @property
    def output(self) -> Json:
        assert self.live.output is not None, self.live
        return self.live.output.data

    def calls(self) -> list[Invoke]:
        return [command for command in self.commands if isinstance(command, Invoke)]

    def happened(self, *types: str) -> list[str]:
        """The facts of these types, as `type name`."""
        return [f"{fact.type} {fact.name}".strip() for fact in self.facts if not types or fact.type in types]


def given(do: str | Sequence[Json], *, resources: dict[str, Json] | None = None, **members: Json) -> Run:
    """A run, not started, of a workflow with this `do` list (YAML text or data) and these other members."""
    document = {"dsl": "1.0.3", "namespace": "tests", "name": "given", "version": "1.0.0"}
    if isinstance(do, str):
        do = read_source(do, name="given").data
    loaded = load_data({"document": document, "do": do, **members})
    assert loaded.workflow is not None, loaded.diagnostics
    return Run(compile_program(loaded.workflow, Resources(resources or {})))
