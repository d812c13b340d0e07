"""The simulation sees: an engine with one safeguard taken out fails within a few seeds.

Each mutant is made in memory only. The seeds are more than it needs, with room to spare.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

import msgspec
import pytest
import structlog
from msgspec.structs import replace

from penstock.errors import InfrastructureError
from penstock.kernel import interpreter
from penstock.kernel.commands import Invoke
from penstock.kernel.machine import Machine
from penstock.kernel.messages import CallFinished
from penstock.kernel.state import CallWork
from penstock.kernel.values import NULL
from penstock.runtime import commits, membership, opened, recovery
from penstock.runtime.aftermath import Aftermath
from penstock.runtime.dispatch import Dispatch
from penstock.runtime.events import Router
from penstock.runtime.held_events import HeldEvents
from penstock.runtime.inbox import Inbox
from penstock.runtime.parts import Parts
from penstock.runtime.turn import Turn
from penstock.runtime.turn_commit import Prepared
from penstock.store.rows import Committed, EventRow, Subscription
from penstock.store.sqlite import events, writer
from penstock.store.sqlite.session import Session
from penstock.store.statements import Statements, load_statements
from penstock.testing import simulate, weather_of_seed
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
    real = events.insert_events
    count = iter(range(1_000_000))

    def insert(session: Session, new: Sequence[EventRow]) -> list[EventRow | None]:
        return real(session, [replace(event, id=f"{event.id}/{next(count)}") for event in new])

    patch.setattr(events, "insert_events", insert)


def deliveries_twice(patch: Patch) -> None:
    """A run may get an event that it has had."""
    _statements(
        patch,
        insert_deliveries=("DO NOTHING", "DO UPDATE SET run_id = excluded.run_id"),
    )


def no_recovery_of_calls(patch: Patch) -> None:
    async def none(*_: object) -> int:
        return 0

    patch.setattr(recovery, "_calls", none)


def no_recovery_of_the_inbox(patch: Patch) -> None:
    patch.setattr(Inbox, "look_again", lambda self: None)


def answers_for_anyone(patch: Patch) -> None:
    """An answer goes to the first call that waits, whichever it is for."""

    def finished(machine: Machine, message: CallFinished) -> bool:
        for frame in machine.frames.values():
            if isinstance(frame.work, CallWork) and message.fault is None:
                machine.complete(frame.entry, message.output or NULL)
                return True
        return real(machine, message)

    real = interpreter._call_finished
    patch.setattr(interpreter, "_call_finished", finished)


def listeners_do_not_look_back(patch: Patch) -> None:
    patch.setattr(Router, "may_have", lambda self, new: [])


def no_look_back_after_a_crash(patch: Patch) -> None:
    async def none(self: Router) -> None:
        """Nothing."""

    patch.setattr(Router, "_look_back_for_all", none)


def events_do_not_find_listeners_again(patch: Patch) -> None:
    """Events that no listener was there for when they were delivered are not offered again."""

    async def none(self: HeldEvents, run_id: str) -> None:
        """Nothing."""

    patch.setattr(HeldEvents, "offer", none)


def timers_before_the_inbox(patch: Patch) -> None:
    """Deadlines fire while what was stored before a crash has not been read."""

    async def take_up(parts: Parts, partitions: Collection[int] | None, log: structlog.stdlib.BoundLogger) -> None:
        parts.inbox.look_again()
        await recovery._calls(parts, partitions, log)
        parts.timers.look_again()

    for module in (opened, membership):
        patch.setattr(module, "take_up", take_up)
    real_begin = Turn._begin_next

    def begin(self: Turn) -> bool:
        return self._begin_due() or real_begin(self)

    patch.setattr(Turn, "_begin_next", begin)
    patch.setattr(Inbox, "complete", property(lambda self: True))


def dispatch_before_commit(patch: Patch) -> None:
    real = Aftermath.before

    def before(self: Aftermath, prepared: Prepared) -> None:
        state = prepared.turn.state
        for command in prepared.turn.commands:
            if isinstance(command, Invoke) and state is not None:
                self._dispatch.invoke(prepared.turn.run_id, state.workflow, command)
        real(self, prepared)

    patch.setattr(Aftermath, "before", before)


def lies_are_believed(patch: Patch) -> None:
    """A commit that says that it failed is made again without a look."""
    patch.setattr(commits, "was_written", lambda commit, stored: False)


def stale_turns_pass_for_written(patch: Patch) -> None:
    """The careful path of the writer does not tell a stale turn from a good one."""
    patch.setattr(writer, "Stale", Committed)


def calls_do_not_wait_for_the_store(patch: Patch) -> None:
    patch.setattr(Dispatch, "_outcome_at_last", Dispatch._outcome)


def recovery_reads_once(patch: Patch) -> None:
    """Calls of a run that recovery could not read wait for ever."""

    async def none(*_: object) -> None:
        """Nothing."""

    patch.setattr(recovery, "_calls_later", none)


def failed_look_backs_are_forgotten(patch: Patch) -> None:
    async def look_back(self: Router, run_id: str, new: Sequence[Subscription]) -> None:
        with suppress(InfrastructureError):
            await self._back.offer(new)
        self._settling.end(run_id)

    patch.setattr(Router, "look_back", look_back)


def run_time_is_the_clock(patch: Patch) -> None:
    """The time of a turn is what the clock says, even if the run has seen a later one."""
    patch.setattr(Turn, "now", property(lambda self: self._clock.now_ms()))


def deadlines_are_met_early(patch: Patch) -> None:
    """Timers wake a run a second too early, and the turn believes them."""
    now = vars(Turn)["now"]
    patch.setattr(Turn, "now", property(lambda self: now.fget(self) + (1_000 if self.wake else 0)))


class Hunt(msgspec.Struct, frozen=True):
    """The seeds that see a mutant, and the weather that it takes beyond theirs."""

    seeds: range = range(60)
    rates: dict[str, float] = msgspec.field(default_factory=lambda: {"nodes": 0.0})


EASY = Hunt()
MUTANTS: dict[Callable[[Patch], None], Hunt] = {
    no_fence: EASY,
    no_fence_for_starts: EASY,
    events_twice: EASY,
    deliveries_twice: EASY,
    no_recovery_of_calls: EASY,
    no_recovery_of_the_inbox: EASY,
    answers_for_anyone: EASY,
    listeners_do_not_look_back: EASY,
    no_look_back_after_a_crash: EASY,
    events_do_not_find_listeners_again: EASY,
    # A timer must win a race of one read, right after a crash.
    timers_before_the_inbox: Hunt(
        range(39, 110),
        {
            "crash_after_write": 0.05,
            "crash_every_s": 2,
            "latency_ms": 40,
            "clock_steps_every_s": 1,
            "slow": 0,
            "nodes": 0,
        },
    ),
    dispatch_before_commit: EASY,
    lies_are_believed: Hunt(range(40), {"write_lies": 0.1}),
    stale_turns_pass_for_written: EASY,
    calls_do_not_wait_for_the_store: EASY,
    recovery_reads_once: Hunt(range(200), {"read_fails": 0.1, "nodes": 0}),
    failed_look_backs_are_forgotten: Hunt(range(100), {"write_fails": 0.1, "nodes": 0}),
    run_time_is_the_clock: EASY,
    deadlines_are_met_early: EASY,
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_safeguard_that_is_missing_is_seen(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    hunt = MUTANTS[mutant]
    verdicts = (simulate(seed, weather_of_seed(seed).but(hunt.rates)) for seed in hunt.seeds)
    assert any(not verdict.good for verdict in verdicts), "no seed noticed it"
