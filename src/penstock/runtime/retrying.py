"""Where a retried run begins: before a top-level task of an ended run, with what that task had before it."""

import re
from typing import Final

from penstock.errors import Unprocessable
from penstock.kernel.facts import Fact
from penstock.kernel.messages import ResumePoint, Started
from penstock.kernel.state import RunState
from penstock.kernel.values import EMPTY_OBJECT, Value
from penstock.runtime.views import Recorded

_TOP_LEVEL: Final = re.compile(r"(/do/\d+/[^/]+)(/.*)?")


def top_level(reference: str) -> str | None:
    """The top-level task that `reference` is, or is in; None when it is in none."""
    match = _TOP_LEVEL.fullmatch(reference)
    return None if match is None else match.group(1)


class RetryPoint:
    """Takes the facts of an ended run in order and remembers what stood before each top-level task."""

    def __init__(self, started: Started) -> None:
        resume = started.resume
        self._before: dict[str, tuple[Value, Value] | None] = {}
        self._input: Value | None = None if resume is None else resume.input
        self._context: Value = EMPTY_OBJECT if resume is None else resume.context
        self._last = ""

    def take(self, recorded: Recorded) -> None:
        for fact in recorded.facts:
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        top = top_level(fact.reference)
        is_top = top == fact.reference and top is not None
        if is_top and fact.type in ("task.created", "task.started", "task.skipped") and fact.reference != self._last:
            self._before[fact.reference] = None if self._input is None else (self._input, self._context)
            self._last = fact.reference
        if fact.context is not None:
            self._context = fact.context
        if is_top and fact.type in ("task.completed", "task.skipped"):
            if fact.output is not None:
                self._input = fact.output
            self._last = ""

    def default(self, state: RunState) -> str | None:
        """The top-level task in which the run ended; None when it had not begun one."""
        instance = state.error.instance if state.error else ""
        found = top_level(instance)
        if found in self._before:
            return found
        return next(reversed(self._before), None)

    def before(self, reference: str, retry_of: str) -> ResumePoint | None:
        """None for the task with which the run began: retrying from there is starting again.

        Raises `Unprocessable` for a task that is no top-level task of the run, or was not entered.
        """
        if top_level(reference) != reference:
            raise Unprocessable(f"from: {reference} is not a top-level task; runs are retried from a top-level task")
        if reference not in self._before:
            raise Unprocessable(f"from: the run never entered {reference}")
        if (found := self._before[reference]) is None:
            return None
        return ResumePoint(retry_of, reference, *found)
