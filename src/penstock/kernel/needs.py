"""What a step asks to be evaluated, the answers, and what a step gives."""

from collections.abc import Mapping

import msgspec

from penstock.errors import Fault
from penstock.kernel.commands import Command, Deferred
from penstock.kernel.facts import Fact
from penstock.kernel.state import RunState
from penstock.kernel.values import Value
from penstock.model.json_value import Json

AnswerKey = tuple[int, str, str]
"""Entry of the task run (0: the workflow itself), phase, and JSON Pointer inside what is evaluated."""


class Need(msgspec.Struct, frozen=True, gc=False):
    """An expression that the kernel cannot evaluate itself: libjq in a worker, or the shell because of secrets.

    `variables` are those that it names, `dot` is what `.` means. If `secrets`, the shell adds `$secrets` (every
    declared one that exists); if `authorization` is not None, it adds `$authorization` = `{scheme, parameter}` made
    from it (shape A of `Invoke`, after `deferred` has been evaluated into it).
    """

    key: AnswerKey
    expression: str
    dot: Value
    variables: dict[str, Value]
    secrets: bool = False
    authorization: Json = None
    deferred: tuple[Deferred, ...] = ()


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The value of a `Need`, or the fault that evaluating it gave. Lies in the journal row of the message."""

    key: AnswerKey
    value: Value | None = None
    fault: Fault | None = None


Answers = Mapping[AnswerKey, Answer]


class Step(msgspec.Struct, frozen=True, gc=False):
    """What a step gave.

    With `needs`, the step is not finished: evaluate them all and call `step` again with `state`, the same message
    and all answers to this message so far; commit nothing before. Commands and facts of the parts add up, in order.
    Without, `state.version` is one more than before, unless the message was `stale`: then nothing changed.
    """

    state: RunState
    commands: tuple[Command, ...] = ()
    facts: tuple[Fact, ...] = ()
    needs: tuple[Need, ...] = ()
    stale: bool = False
