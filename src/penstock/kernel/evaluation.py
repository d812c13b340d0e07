"""Evaluates formulas for a frame: natively here, or by parking the frame until the shell has the answers.

All expressions of one formula are asked for together. A frame that was parked goes on only in the next round,
also when the answers are there from the start, so that a replay takes the very same path as the live run.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock.errors import EXPRESSION
from penstock.expressions import Expression, ExpressionError
from penstock.kernel.commands import Deferred
from penstock.kernel.needs import Need
from penstock.kernel.nodes import Delay, Formula
from penstock.kernel.problems import Parked, TaskFault, expression_fault, fault_of, runtime_fault
from penstock.kernel.state import Frame
from penstock.kernel.values import Value
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json, encoded_depth
from penstock.model.limits import MAX_JSON_DEPTH, MAX_VALUE_BYTES

if TYPE_CHECKING:
    from penstock.kernel.machine import Machine


def evaluate(
    machine: "Machine",
    frame: Frame,
    phase: str,
    formula: Formula,
    dot: Value,
    *,
    output: Value | None = None,
    deferred: list[Deferred] | None = None,
) -> Value:
    """The formula's value for this frame, checked against the limit on values.

    `phase` makes the evaluation unique within the frame and one message. With `deferred`, expressions that name
    secrets are not evaluated: they are added there and leave null in their place.
    """
    if formula.constant is not None:
        return formula.constant
    data = evaluate_data(machine, frame, phase, formula, dot, output=output, deferred=deferred)
    if data is dot.data:
        return dot
    return checked_value(machine, data, phase)


def evaluate_data(
    machine: "Machine",
    frame: Frame,
    phase: str,
    formula: Formula,
    dot: Value,
    *,
    output: Value | None = None,
    deferred: list[Deferred] | None = None,
) -> Json:
    """Like `evaluate`, for a value that is used at once and kept nowhere."""
    if formula.constant is not None:
        return formula.constant.data
    variables = machine.variables(frame, formula.names, output) if formula.names else {}
    answers: dict[str, Json] = {}
    if formula.outside:
        answers = _answers(machine, frame, phase, formula, dot, variables, deferred)
    plain = {name: value.data for name, value in variables.items()}
    try:
        return formula.template.build(dot.data, plain, answers)
    except ExpressionError as error:
        raise expression_fault(phase, error.message) from None


def is_true(
    machine: "Machine", frame: Frame, phase: str, formula: Formula, dot: Value, *, output: Value | None = None
) -> bool:
    """The truth of a condition, as jq has it: everything but false and null."""
    value = evaluate_data(machine, frame, phase, formula, dot, output=output)
    return value is not None and value is not False


def evaluate_delay(machine: "Machine", frame: Frame, phase: str, delay: Delay, dot: Value) -> int:
    """Milliseconds of a duration."""
    if delay.formula is None:
        return delay.ms
    literal = evaluate_data(machine, frame, phase, delay.formula, dot)
    ms = duration_ms(literal)
    if isinstance(ms, str):
        raise expression_fault(phase, ms)
    return ms


def checked_value(machine: "Machine", data: Json, where: str) -> Value:
    """A value that may be kept: encodable and within the limit."""
    value = Value(data)
    try:
        size = value.size
    except (ValueError, OverflowError, RecursionError, TypeError) as error:
        raise expression_fault(where, f"the result is no JSON value that can be kept: {error}") from None
    text = value.json
    if text.count(b"[") + text.count(b"{") > MAX_JSON_DEPTH and encoded_depth(text) > MAX_JSON_DEPTH:
        raise runtime_fault(f"{where}: the value is nested more than {MAX_JSON_DEPTH} deep")
    if size > MAX_VALUE_BYTES:
        raise runtime_fault(f"{where}: the value has {size} bytes, the limit is {MAX_VALUE_BYTES}")
    machine.spend(size)
    return value


def _answers(
    machine: "Machine",
    frame: Frame,
    phase: str,
    formula: Formula,
    dot: Value,
    variables: Mapping[str, Value],
    deferred: list[Deferred] | None,
) -> dict[str, Json]:
    """The answers by pointer. Parks the frame until the round after the one in which it asked."""
    released = (frame.entry, phase) in machine.released
    found: dict[str, Json] = {}
    needs: list[Need] = []
    asked = False
    for pointer, expression in formula.outside:
        if deferred is not None and expression.uses_secrets:
            deferred.append(Deferred(pointer, expression.text, dot, _named(expression, variables)))
            found[pointer] = None
            continue
        asked = True
        key = (frame.entry, phase, pointer)
        answer = machine.answers.get(key)
        if answer is None:
            needs.append(_need(machine, frame, key, expression, dot, variables))
        elif answer.value is not None:
            found[pointer] = answer.value.data
        elif answer.fault is not None and released and not expression.loose:
            raise TaskFault(answer.fault)
    if asked and not released:
        machine.await_answers(frame.entry, phase, needs)
        raise Parked
    return found


def _named(expression: Expression, variables: Mapping[str, Value]) -> dict[str, Value]:
    return {name: variables[name] for name in sorted(expression.names) if name in variables}


def _need(
    machine: "Machine",
    frame: Frame,
    key: tuple[int, str, str],
    expression: Expression,
    dot: Value,
    variables: Mapping[str, Value],
) -> Need:
    authorization, deferred = (None, ())
    if "authorization" in expression.names:
        authorization, deferred = machine.authorization(frame)
        if authorization is None:
            raise TaskFault(fault_of(EXPRESSION, f"{key[1]}: the task has no authentication, so no $authorization"))
    named = _named(expression, variables)
    machine.spend(dot.size + sum(value.size for value in named.values()))
    return Need(
        key=key,
        expression=expression.text,
        dot=dot,
        variables=named,
        secrets=not expression.names.isdisjoint(("secrets", "secret")),
        authorization=authorization,
        deferred=deferred,
    )
