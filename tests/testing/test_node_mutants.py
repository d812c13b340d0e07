"""The simulation sees what many nodes need: with one safeguard of sharing taken out, a few seeds fail.

As `test_mutants`, over several engines that share a disk.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence

import pytest
import structlog

from penstock.kernel.messages import Started
from penstock.runtime import membership, recovery
from penstock.runtime.events import Router
from penstock.runtime.forwarding import Forwarding
from penstock.runtime.inbox import Inbox
from penstock.runtime.mail import Origin, TurnResult
from penstock.runtime.membership import Membership
from penstock.runtime.notices import Notices
from penstock.runtime.parts import Parts
from penstock.runtime.shares import Shares
from penstock.runtime.starting import Starting
from penstock.runtime.timers import Timers
from penstock.runtime.turn import Turn
from penstock.store.rows import Delivery, RunCommit
from penstock.testing import CALM, shared_store, simulate, weather_of_seed
from penstock.testing.shared_store import SharedStore
from tests.testing.test_mutants import Hunt

Patch = pytest.MonkeyPatch


def members_need_not_hold_what_they_write(patch: Patch) -> None:
    """A turn is written whoever holds the partition of its run."""

    def may_write(turn: RunCommit, held: Collection[int]) -> bool:
        return True

    patch.setattr(shared_store, "_may_write", may_write)


def deliveries_are_not_fenced(patch: Patch) -> None:
    """Events are brought to whichever run listens, whoever holds it."""

    def deliverable(self: SharedStore, deliveries: Sequence[Delivery]) -> list[Delivery]:
        return list(deliveries)

    patch.setattr(SharedStore, "_deliverable", deliverable)


def gains_are_not_taken_up(patch: Patch) -> None:
    """Runs that come are owned, but what waits for them is not looked for."""

    async def take_up(parts: Parts, partitions: Collection[int] | None, log: structlog.stdlib.BoundLogger) -> None:
        """Nothing."""

    patch.setattr(membership, "take_up", take_up)


def timers_before_the_inbox_on_takeover(patch: Patch) -> None:
    """Deadlines of runs that come fire before their messages are read."""

    async def take_up(parts: Parts, partitions: Collection[int] | None, log: structlog.stdlib.BoundLogger) -> None:
        parts.timers.look_again()
        parts.inbox.look_again()
        await recovery._calls(parts, partitions, log)

    async def at_once(self: Timers, now: int) -> bool:
        return True

    real_begin = Turn._begin_next

    def begin(self: Turn) -> bool:
        return self._begin_due() or real_begin(self)

    patch.setattr(membership, "take_up", take_up)
    patch.setattr(Timers, "_may_fire_until", at_once)
    patch.setattr(Turn, "_begin_next", begin)
    patch.setattr(Inbox, "complete", property(lambda self: True))


def routing_does_not_go_back_for_gains(patch: Patch) -> None:
    """What whoever had the runs before did not route stays so."""
    patch.setattr(Router, "gained", lambda self: None)


def starts_begin_anywhere(patch: Patch) -> None:
    """A run begins where it was asked for, though its id may be of another node's partition."""

    async def asked(self: Starting, message: Started, origin: Origin) -> TurnResult:
        return await self._turns.ask(message.run_id, message, origin)

    patch.setattr(Shares, "placed", lambda self, entropy: entropy)
    patch.setattr(Shares, "owns", lambda self, run_id: True)
    patch.setattr(Starting, "_asked", asked)
    patch.setattr(shared_store, "_may_write", lambda turn, held: True)


def no_sweep_for_lost_notices(patch: Patch) -> None:
    async def sweep(self: Notices) -> None:
        await asyncio.Event().wait()

    patch.setattr(Notices, "sweep", sweep)


def answers_are_lost_at_handover(patch: Patch) -> None:
    """What came for a run that left is dropped, and the next engine does not ask again."""

    async def none(*_: object) -> int:
        return 0

    patch.setattr(Forwarding, "add", lambda self, run_id, message: None)
    patch.setattr(recovery, "_calls", none)


def release_before_drain(patch: Patch) -> None:
    """Partitions go while turns and calls of their runs are under way, and stay in memory as if nothing were."""

    async def give_away(self: Membership) -> None:
        if leaving := self._surplus & self._shares.owned:
            await self._parts.store.release(leaving)
            self._parts.renew_soon.set()

    patch.setattr(Membership, "_give_away", give_away)


HUNTS: dict[Callable[[Patch], None], Hunt] = {
    members_need_not_hold_what_they_write: Hunt(range(40), {"nodes": 2, "pause_every_s": 8}),
    deliveries_are_not_fenced: Hunt(range(60), {"nodes": 3, "pause_every_s": 4}),
    gains_are_not_taken_up: Hunt(range(40), {"nodes": 2}),
    timers_before_the_inbox_on_takeover: Hunt(range(120), {"nodes": 2, "clock_steps_every_s": 1}),
    routing_does_not_go_back_for_gains: Hunt(range(40), {"nodes": 3}),
    starts_begin_anywhere: Hunt(range(40), {"nodes": 3}),
    no_sweep_for_lost_notices: Hunt(range(120), {"nodes": 3, "notice_lost": 1}),
    answers_are_lost_at_handover: Hunt(range(40), {"nodes": 3}),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", HUNTS, ids=lambda mutant: mutant.__name__)
def test_a_safeguard_of_sharing_that_is_missing_is_seen(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    hunt = HUNTS[mutant]
    verdicts = (simulate(seed, weather_of_seed(seed).but(hunt.rates)) for seed in hunt.seeds)
    assert any(not verdict.good for verdict in verdicts), "no seed noticed it"


@pytest.mark.slow
def test_calls_end_before_their_runs_go_to_another_engine(monkeypatch: Patch) -> None:
    """Engines that come and go in order make no call twice. Without draining they do, though nothing is lost."""
    weathers = [(seed, CALM.but({"nodes": 3, "stop_every_s": 6})) for seed in range(12)]
    drained = [simulate(seed, weather) for seed, weather in weathers]
    release_before_drain(monkeypatch)
    torn = [simulate(seed, weather) for seed, weather in weathers]
    assert all(verdict.good for verdict in drained + torn)
    assert sum(verdict.repeated for verdict in drained) == 0
    assert sum(verdict.repeated for verdict in torn) > 0
