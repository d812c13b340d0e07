"""Fills the deferred parts of a call's arguments in: the moment at which credentials are rendered, and not earlier."""

import copy
from typing import cast

import msgspec

from penstock.errors import Fault
from penstock.kernel.commands import Deferred, Invoke
from penstock.kernel.needs import Need
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.workflow import Workflow
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.placing import place


class Filled(msgspec.Struct, frozen=True, gc=False):
    """The arguments as they go out, and the values that were rendered into them. Never logged, never stored."""

    arguments: Json
    rendered: tuple[Json, ...]

    def __repr__(self) -> str:
        return "Filled(***)"


async def fill_arguments(invoke: Invoke, workflow: Workflow, evaluator: Evaluator) -> Filled | Fault:
    """Evaluates every deferred expression. `$authorization` is that of the call's own `authentication`, so those that
    make it come first."""
    if not invoke.deferred:
        return Filled(invoke.arguments.data, ())
    arguments = copy.deepcopy(invoke.arguments.data)
    rendered: list[Json] = []
    ordered = sorted(invoke.deferred, key=lambda one: not one.pointer.startswith("/authentication"))
    for deferred in ordered:
        value = await _evaluate(deferred, arguments, workflow, evaluator)
        if isinstance(value, Fault):
            return value
        rendered.append(value.data)
        if (fault := place(arguments, deferred.pointer, value.data)) is not None:
            return fault
    return Filled(arguments, tuple(rendered))


async def _evaluate(deferred: Deferred, arguments: Json, workflow: Workflow, evaluator: Evaluator) -> Value | Fault:
    authentication = cast("dict[str, Json]", arguments).get("authentication") if isinstance(arguments, dict) else None
    need = Need(
        key=(0, "call", deferred.pointer),
        expression=deferred.expression,
        dot=deferred.dot,
        variables=deferred.variables,
        secrets=True,
        authorization=authentication if "$authorization" in deferred.expression else None,
    )
    (answer,) = await evaluator.answers([(workflow, need)])
    if answer.fault is not None:
        return answer.fault
    return answer.value or Value(None)
