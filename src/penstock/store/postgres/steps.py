"""The steps of a transaction: a turn of a run, or any other write; and how many of them are done."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from penstock.store.notices import Notice, RunsDue, WorkOffered
from penstock.store.postgres.failures import blame, is_culprit, message_of
from penstock.store.postgres.session import Session
from penstock.store.postgres.turns import Conflict, write_turns
from penstock.store.rows import (
    CommitOutcome,
    Committed,
    EventRow,
    InboxRow,
    NotOwned,
    Rejected,
    RunCommit,
    Stale,
    StartKey,
)

Announced = InboxRow | EventRow | Notice
"""What others may have to know of a write: rows that it wrote, or a notice."""


class TurnStep:
    """A turn; its result says how it went."""

    __slots__ = ("result", "start_key", "turn")

    def __init__(self, turn: RunCommit, start_key: StartKey | None) -> None:
        self.turn = turn
        self.start_key = start_key if turn.expected_version == 0 else None
        self.result: CommitOutcome | None = None

    def fail(self, error: Exception) -> None:
        self.result = Stale() if isinstance(error, Conflict) else Rejected(message_of(error))

    def may_be_written(self, session: Session) -> bool:
        """Whether this node holds the run, or creates it for whoever does."""
        return session.holds(self.turn.run.id) or (self.turn.unowned and self.turn.expected_version == 0)

    def announced(self) -> Iterable[Announced]:
        """What it has written."""
        if not isinstance(self.result, Committed):
            return ()
        due = (RunsDue((self.turn.run.id,)),) if self.turn.unowned else ()
        tools = tuple(dict.fromkeys(offer.tool for offer in self.turn.offers if offer.kind == "pull"))
        offered = (WorkOffered(tools),) if tools else ()
        return (*self.result.inbox, *self.result.events, *due, *offered)


def _nothing(result: object) -> Iterable[Announced]:
    return ()


class WriteStep:
    """Any other write: a function of the session. `announces` says of its result what others may have to know."""

    __slots__ = ("announces", "apply", "error", "result")

    def __init__(
        self, apply: Callable[[Session], Awaitable[Any]], announces: Callable[[Any], Iterable[Announced]] = _nothing
    ) -> None:
        self.apply = apply
        self.announces = announces
        self.error: Exception | None = None
        self.result: Any = None

    def fail(self, error: Exception) -> None:
        self.error = blame(error)

    def announced(self) -> Iterable[Announced]:
        """What it has written."""
        return () if self.error else self.announces(self.result)


Step = TurnStep | WriteStep

Apply = Callable[[Session, Sequence[Step]], Awaitable[None]]


async def apply_together(session: Session, steps: Sequence[Step]) -> None:
    """Does the steps in order, neighbouring turns in one go. Any exception spoils the transaction."""
    for kind, group in groupby(steps, type):
        if kind is TurnStep:
            await _apply_turns(session, [step for step in group if isinstance(step, TurnStep)])
            continue
        for step in group:
            if isinstance(step, WriteStep):
                step.error, step.result = None, await step.apply(session)


async def _apply_turns(session: Session, asked: list[TurnStep]) -> None:
    steps: list[TurnStep] = []
    for step in asked:
        if step.may_be_written(session):
            steps.append(step)
        else:
            step.result = NotOwned()
    keys = {step.turn.run.id: step.start_key for step in steps if step.start_key is not None}
    outcomes = await write_turns(session, [step.turn for step in steps], keys)
    for step, outcome in zip(steps, outcomes, strict=True):
        step.result = outcome


async def apply_by_halves(session: Session, steps: Sequence[Step]) -> None:
    """Does the steps in order; what is to blame is undone alone and remembers its error."""
    await session.savepoint()
    try:
        await apply_together(session, steps)
    except Exception as error:
        if not is_culprit(error):
            raise
        await session.undo()
        if len(steps) == 1:
            steps[0].fail(error)
            return
    else:
        await session.release()
        return
    middle = len(steps) // 2
    await apply_by_halves(session, steps[:middle])
    await apply_by_halves(session, steps[middle:])
