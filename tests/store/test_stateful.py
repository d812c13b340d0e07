"""Random histories of turns, messages and reopenings, against a plain dictionary."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from penstock.store.rows import Committed, Rejected, RunCommit, Stale
from penstock.store.sqlite import SqliteStore
from tests.store.samples import BEGAN, run_id, turn

RUNS: Final = st.integers(0, 4)
VERSIONS: Final = st.integers(1, 5)


class StoreMachine(RuleBasedStateMachine):
    """The model is the version of each run, and the messages that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.store = SqliteStore(Path(self.directory.name) / "p.db")
        self.loop.run(self.store.open())
        self.versions: dict[int, int] = {}
        self.due: dict[int, int | None] = {}
        self.waiting: list[tuple[str, bytes]] = []

    def teardown(self) -> None:
        self.loop.run(self.store.close())
        self.loop.close()
        self.directory.cleanup()

    @rule(batch=st.lists(st.tuples(RUNS, VERSIONS, st.booleans(), st.none() | st.integers(0, 9)), max_size=12))
    def commit(self, batch: list[tuple[int, int, bool, int | None]]) -> None:
        """Turns for any version, right or stale; some are poisoned."""
        wanted: list[type] = []
        turns: list[RunCommit] = []
        for number, version, poisoned, due in batch:
            body = b"from %d at %d" % (number, version)
            row = {"fault_title": "\ud800"} if poisoned else {"next_at": due}
            turns.append(turn(number, version, run=row, messages=((run_id(9), body),)))
            if poisoned:
                wanted.append(Rejected)
            elif version - 1 != self.versions.get(number, 0):
                wanted.append(Stale)
            else:
                wanted.append(Committed)
                self.versions[number], self.due[number] = version, due
                self.waiting.append((run_id(9), body))
        assert [type(outcome) for outcome in self.loop.run(self.store.commit(turns))] == wanted

    @rule(runs=st.lists(RUNS, max_size=5))
    def send(self, runs: list[int]) -> None:
        messages = [(run_id(number), b"sent") for number in runs]
        self.loop.run(self.store.send(messages))
        self.waiting += messages

    @rule(count=st.integers(0, 5))
    def discard(self, count: int) -> None:
        rows = self.loop.run(self.store.inbox(0, count))
        self.loop.run(self.store.discard_inbox([row.seq for row in rows]))
        del self.waiting[:count]

    @rule()
    def reopen(self) -> None:
        self.loop.run(self.store.close())
        self.loop.run(self.store.open())

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        rows = self.loop.run(self.store.list_runs(limit=100))
        assert [row.id for row in rows] == [run_id(number) for number in sorted(self.versions, reverse=True)]
        for number, version in self.versions.items():
            stored = self.loop.run(self.store.load_run(run_id(number)))
            assert stored is not None
            assert (stored.version, stored.state) == (version, b"state %d" % version)
            journal = self.loop.run(self.store.journal(run_id(number), 0, 100))
            assert [row.seq for row in journal] == list(range(1, version + 1))
        waiting = self.loop.run(self.store.inbox(0, 10_000))
        assert [(row.run_id, row.body) for row in waiting] == self.waiting
        due = sorted((at, run_id(number)) for number, at in self.due.items() if at is not None)
        assert self.loop.run(self.store.due_runs(BEGAN, 100)) == [(name, at) for at, name in due]


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=30, stateful_step_count=15)
