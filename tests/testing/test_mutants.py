"""The simulation sees: an engine with one safeguard taken out fails within a few seeds.

Each mutant is made in memory only. The number of seeds is what it needs at most, with room to spare.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from penstock.kernel import interpreter
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished
from penstock.kernel.state import CallWork
from penstock.kernel.values import NULL
from penstock.runtime import recovery
from penstock.runtime.aftermath import Aftermath
from penstock.runtime.events import Router
from penstock.runtime.inbox import Inbox
from penstock.runtime.turn import Turn
from penstock.store.sqlite import writer
from penstock.store.statements import Statements, load_statements
from penstock.testing import simulate
from penstock.testing import store as simulated_store

Patch = pytest.MonkeyPatch


def _statements(patch: Patch, **texts: tuple[str, str]) -> None:
    """Changes SQL statements: a text in each, and what stands in its place."""
    statements = load_statements("penstock.store.sqlite", "statements.sql")
    for name, (old, new) in texts.items():
        assert old in statements[name]
        statements._by_name[name] = statements[name].replace(old, new)

    def load(package: str, file: str) -> Statements:
        return statements if package == "penstock.store.sqlite" else load_statements(package, file)

    patch.setattr(simulated_store, "load_statements", load)


def no_fence(patch: Patch) -> None:
    """A turn is written whatever version its run has."""
    _statements(
        patch,
        update_runs=(" AND state_version = column2", ""),
        insert_journal=("INSERT INTO", "INSERT OR REPLACE INTO"),
    )


def no_fence_for_starts(patch: Patch) -> None:
    """A start key may start two runs."""
    _statements(patch, insert_start_keys=("DO NOTHING", "DO UPDATE SET run_id = excluded.run_id"))


def events_twice(patch: Patch) -> None:
    """An event that is known already is stored again, under another id."""
    from penstock.store.sqlite import store as sqlite_store

    real = sqlite_store.events.insert_events
    count = iter(range(1_000_000))

    def insert(session: Any, events: Any) -> Any:
        return real(session, [replace(event, id=f"{event.id}/{next(count)}") for event in events])

    patch.setattr(sqlite_store.events, "insert_events", insert)


def deliveries_twice(patch: Patch) -> None:
    """A run may get an event that it has had."""
    _statements(
        patch,
        delivered_runs=("event_seq = ?", "event_seq = -?"),
        insert_deliveries=("INSERT INTO", "INSERT OR IGNORE INTO"),
    )


def no_recovery_of_calls(patch: Patch) -> None:
    async def none(*_: object) -> int:
        return 0

    patch.setattr(recovery, "_calls", none)


def no_recovery_of_the_inbox(patch: Patch) -> None:
    patch.setattr(Inbox, "look_again", lambda self: None)


def answers_for_anyone(patch: Patch) -> None:
    """An answer goes to the first call that waits, whichever it is for."""

    def finished(machine: Any, message: CallFinished) -> bool:
        for frame in machine.frames.values():
            if isinstance(frame.work, CallWork) and message.fault is None:
                machine.complete(frame.entry, message.output or NULL)
                return True
        return real(machine, message)

    real = interpreter._call_finished
    patch.setattr(interpreter, "_call_finished", finished)


def listeners_do_not_look_back(patch: Patch) -> None:
    patch.setattr(Router, "may_have", lambda self, subscribe: [])


def no_look_back_after_a_crash(patch: Patch) -> None:
    async def none(self: Router) -> None:
        """Nothing."""

    patch.setattr(Router, "_look_back_for_all", none)


def events_do_not_find_listeners_again(patch: Patch) -> None:
    """Events that no listener was there for when they were delivered are not offered again."""

    async def none(self: Router, run_id: str) -> None:
        """Nothing."""

    patch.setattr(Router, "offer_held", none)


def timers_before_the_inbox(patch: Patch) -> None:
    real_begin = Turn._begin_next

    def begin(self: Turn) -> bool:
        return self._begin_due() or real_begin(self)

    patch.setattr(Turn, "_begin_next", begin)
    patch.setattr(Inbox, "complete", property(lambda self: True))


def dispatch_before_commit(patch: Patch) -> None:
    real = Aftermath.before

    def before(self: Aftermath, prepared: Any) -> None:
        for command in prepared.turn.commands:
            if isinstance(command, Invoke):
                self._dispatch.invoke(prepared.turn.run_id, prepared.turn.state.workflow, command)
        real(self, prepared)

    patch.setattr(Aftermath, "before", before)


def lies_are_believed(patch: Patch) -> None:
    """A commit that says that it failed is made again without a look."""
    from penstock.runtime import turns

    patch.setattr(turns, "was_written", lambda commit, stored: False)


def stale_turns_pass_for_written(patch: Patch) -> None:
    """The careful path of the writer does not tell a stale turn from a good one."""
    from penstock.store.rows import Committed

    patch.setattr(writer, "Stale", Committed)


MUTANTS: dict[Callable[[Patch], None], int] = {
    no_fence: 60,
    no_fence_for_starts: 60,
    events_twice: 40,
    deliveries_twice: 60,
    no_recovery_of_calls: 40,
    no_recovery_of_the_inbox: 40,
    answers_for_anyone: 40,
    listeners_do_not_look_back: 40,
    no_look_back_after_a_crash: 100,
    events_do_not_find_listeners_again: 100,
    timers_before_the_inbox: 100,
    dispatch_before_commit: 40,
    lies_are_believed: 60,
    stale_turns_pass_for_written: 60,
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_safeguard_that_is_missing_is_seen(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    assert any(not simulate(seed).good for seed in range(MUTANTS[mutant])), "no seed noticed it"
