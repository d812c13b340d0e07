"""`listen`: consumes events until its strategy is met.

Output: the consumed events in order, each as `read` says and shaped by `foreach`; those that an `until` strategy
consumed are left out. Events are processed one at a time. Correlation values without `expect` are fixed by the
first event and hold for the whole run (docs/dsl-decisions.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import EXPRESSION
from penstock.events.correlation import correlation_key
from penstock.expressions import Schema
from penstock.kernel.commands import Subscribe, Unsubscribe
from penstock.kernel.evaluation import checked_value, evaluate, is_true
from penstock.kernel.messages import EventMatch
from penstock.kernel.nodes import Formula, Node, Scope
from penstock.kernel.problems import TaskFault, fault_of, validation_fault
from penstock.kernel.state import Frame, ListenWork
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.topics import EventTopic
from penstock.kernel.values import NULL, Value
from penstock.model.event_filters import EventFilter, EventStrategy, ReadAs
from penstock.model.json_value import Json
from penstock.model.limits import MAX_LISTEN_EVENTS
from penstock.model.tasks import ListenTask

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


@dataclass(frozen=True, slots=True)
class ForeachSpec:
    item: str
    at: str
    scope: Scope | None
    output_as: Formula | None
    output_schema: Schema | None
    export_as: Formula | None
    export_schema: Schema | None


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter's topic, and the formulas that say which key values this listener expects (None: still open)."""

    topic: EventTopic
    expected: dict[str, Formula | None]


@dataclass(frozen=True, slots=True)
class ListenSpec:
    """`filters` are those of the strategy, then those of `until_strategy`; `count` says how many are the first."""

    strategy: EventStrategy
    filters: tuple[FilterSpec, ...]
    count: int
    until: Formula | None
    read: ReadAs
    foreach: ForeachSpec | None


class ListenKind(TaskKind[ListenTask]):
    def compile(self, compiler: "Compiler", node: Node, task: ListenTask) -> ListenSpec:
        strategy = task.to
        wanted = strategy.filters or ((EventFilter({}),) if strategy.mode == "any" else ())
        until = () if strategy.until_strategy is None else strategy.until_strategy.filters
        foreach = _compile_foreach(compiler, node, task)
        if foreach is not None:
            node.provides = (foreach.item, foreach.at)
        return ListenSpec(
            strategy=strategy,
            filters=tuple(_compile_filter(compiler, node, i, f) for i, f in enumerate((*wanted, *until))),
            count=len(wanted),
            until=compiler.optional(strategy.until, f"{node.pointer}/listen/to/until"),
            read=task.read,
            foreach=foreach,
        )

    def begin(self, machine: "Machine", frame: Frame) -> None:
        spec = _spec(machine, frame)
        known = [_known_keys(machine, frame, index, f) for index, f in enumerate(spec.filters)]
        if not spec.filters:
            machine.complete(frame.entry, Value([]))
            return
        for index, (item, keys) in enumerate(zip(spec.filters, known, strict=True)):
            machine.commands.append(_subscription(machine, frame, index, item, keys))
        if any(item.topic.expected for item in spec.filters):
            machine.record("run.correlation-started")
        machine.change(frame, phase="listening", work=ListenWork())

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        """Takes the next event that has arrived; ends when the strategy is met and none is left."""
        spec, work = _spec(machine, frame), _work(frame)
        if frame.phase == "consume":
            self._consume(machine, frame, spec, work, frame.output or NULL)
            return
        if not work.arrived:
            if work.closed:
                self._close(machine, frame, spec, work)
            else:
                machine.change(frame, phase="listening")
            return
        if spec.foreach is None or spec.foreach.scope is None:
            machine.change(frame, phase="consume", output=work.arrived[0])
            machine.proceed(frame.entry)
            return
        index = len(work.consumed)
        frame = machine.change(frame, phase="inside", work=msgspec.structs.replace(work, iterating=True))
        if not machine.start_list(frame, spec.foreach.scope, work.arrived[0], path=(*frame.path, index)):
            machine.change(frame, phase="consume", output=work.arrived[0])
            machine.proceed(frame.entry)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        machine.change(frame, output=output)
        machine.go_on(machine.frames[frame.entry], "consume")

    def variable(self, machine: "Machine", frame: Frame, name: str) -> Value | None:
        spec, work = _spec(machine, frame).foreach, frame.work
        if spec is None or not isinstance(work, ListenWork) or not work.arrived:
            return None
        return Value(len(work.consumed)) if name == spec.at else work.arrived[0]

    def _consume(self, machine: "Machine", frame: Frame, spec: ListenSpec, work: ListenWork, result: Value) -> None:
        """The event has been processed: shape its result, add it, and ask `until`."""
        index, foreach = len(work.consumed), spec.foreach
        if foreach is not None:
            raw = result
            if foreach.output_as is not None:
                result = evaluate(machine, frame, f"foreach/{index}/output.as", foreach.output_as, raw)
            _check(foreach.output_schema, result, "foreach/output.schema")
            if foreach.export_as is not None:
                context = evaluate(
                    machine, frame, f"foreach/{index}/export.as", foreach.export_as, result, output=result
                )
                _check(foreach.export_schema, context, "foreach/export.schema")
                machine.export(frame, context)
        consumed = (*work.consumed, result)
        closed = work.closed
        if spec.until is not None and not closed:
            so_far = Value([value.data for value in consumed])
            closed = is_true(machine, frame, f"until/{index}", spec.until, so_far)
        if len(consumed) > MAX_LISTEN_EVENTS:
            raise TaskFault(fault_of(EXPRESSION, f"listen collects more than {MAX_LISTEN_EVENTS} events"))
        if closed and not work.closed:
            machine.commands.append(Unsubscribe(frame.entry))
        arrived = () if closed and not work.closed else work.arrived[1:]
        work = msgspec.structs.replace(work, consumed=consumed, arrived=arrived, iterating=False, closed=closed)
        machine.change(frame, work=work, output=None)
        machine.go_on(machine.frames[frame.entry], "next")

    def _close(self, machine: "Machine", frame: Frame, spec: ListenSpec, work: ListenWork) -> None:
        output = checked_value(machine, [value.data for value in work.consumed], "listen")
        if any(item.topic.expected for item in spec.filters):
            keys = {name: value.data for name, value in machine.keys.items()}
            machine.record("run.correlation-completed", detail=keys)
        machine.change(frame, work=None)
        machine.complete(frame.entry, output)


def take_event(machine: "Machine", matches: Sequence[EventMatch], event: Value) -> bool:
    """Hands an event to the listeners that it matched; False if none of them wants it, or no longer.

    One listener consumes an event once, whichever of its filters match; what its `until` strategy consumes is not
    among its events. For `all`, one event may meet several filters, and is still one event.
    """
    taken: set[int] = set()
    for match in sorted(matches, key=lambda match: (match.entry, not _is_of_until(machine, match))):
        if match.entry in taken and not _meets_several(machine, match):
            continue
        if _take_match(machine, match, event, consumed=match.entry in taken):
            taken.add(match.entry)
    return bool(taken)


def _is_of_until(machine: "Machine", match: EventMatch) -> bool:
    spec = _listening(machine, match)
    return spec is not None and match.filter >= spec.count


def _meets_several(machine: "Machine", match: EventMatch) -> bool:
    """Whether an event that the listener has taken may meet this filter too."""
    spec = _listening(machine, match)
    return spec is not None and (spec.strategy.mode == "all" or match.filter >= spec.count)


def _listening(machine: "Machine", match: EventMatch) -> ListenSpec | None:
    frame = machine.frames.get(match.entry)
    return None if frame is None or not isinstance(frame.work, ListenWork) else _spec(machine, frame)


def _take_match(machine: "Machine", match: EventMatch, event: Value, *, consumed: bool) -> bool:
    frame = machine.frames.get(match.entry)
    if frame is None or not isinstance(frame.work, ListenWork) or frame.work.closed:
        return False
    spec, work = _spec(machine, frame), frame.work
    expected = spec.filters[match.filter].topic.expected
    if any(
        name in machine.keys and machine.keys[name] != match.keys.get(name)
        for name in expected
        if expected[name] is None
    ):
        return False
    taken = _take(spec, work, match.filter, () if consumed else (_read(spec.read, event),))
    if taken is None:
        return False
    frame = machine.change(frame, work=taken)
    if taken.closed:
        machine.commands.append(Unsubscribe(frame.entry))
    fixed = {name: match.keys[name] for name in expected if name in match.keys and name not in machine.keys}
    machine.keys.update(fixed)
    if fixed and not taken.closed:
        _subscribe_again(machine, frame, spec)
    if frame.phase == "listening":
        machine.go_on(frame, "next")
    return True


def _take(spec: ListenSpec, work: ListenWork, index: int, items: tuple[Value, ...]) -> ListenWork | None:
    """The work after the event met filter `index`; None if that filter has its event already. `items` is the event
    as it is read, or nothing if another filter has taken it in."""
    if index >= spec.count:
        until = spec.strategy.until_strategy
        assert until is not None
        if until.mode == "all" and index in work.until_met:
            return None
        met = (*work.until_met, index)
        closed = until.mode != "all" or len(met) == len(until.filters)
        return msgspec.structs.replace(work, until_met=met, closed=closed)
    arrived = (*work.arrived, *items)
    match spec.strategy.mode:
        case "one":
            return msgspec.structs.replace(work, arrived=arrived, closed=True)
        case "all":
            if index in work.met:
                return None
            met = (*work.met, index)
            return msgspec.structs.replace(work, arrived=arrived, met=met, closed=len(met) == spec.count)
        case "any":
            goes_on = spec.until is not None or spec.strategy.until_strategy is not None or spec.strategy.forever
            return msgspec.structs.replace(work, arrived=arrived, closed=not goes_on)


def _read(read: ReadAs, event: Value) -> Value:
    """The event as the task reads it: its data, the whole envelope, or the data as it came."""
    if read == "envelope":
        return event
    data: Json = event.data.get("data")
    if data is None and "data_base64" in event.data:
        data = event.data["data_base64"]
    return Value(data)


def _subscribe_again(machine: "Machine", frame: Frame, spec: ListenSpec) -> None:
    """A correlation value has become known: every filter is found by its exact key from now on."""
    for index, item in enumerate(spec.filters):
        if any(formula is None for formula in item.expected.values()):
            keys = {name: machine.keys[name] for name in item.expected if name in machine.keys}
            machine.commands.append(_subscription(machine, frame, index, item, keys))


def _known_keys(machine: "Machine", frame: Frame, index: int, item: FilterSpec) -> dict[str, Value]:
    """The key values that this listener knows beforehand."""
    known: dict[str, Value] = {}
    for name, formula in item.expected.items():
        if formula is not None:
            known[name] = evaluate(machine, frame, f"listen/{index}/{name}", formula, frame.input or NULL)
        elif name in machine.keys:
            known[name] = machine.keys[name]
    return known


def _subscription(machine: "Machine", frame: Frame, index: int, item: FilterSpec, known: dict[str, Value]) -> Subscribe:
    topic = item.topic
    complete = len(known) == len(item.expected)
    variables: dict[str, Value] = {}
    if topic.run_predicate is not None:
        variables = machine.variables(frame, topic.run_predicate.names)
    return Subscribe(
        entry=frame.entry,
        filter=index,
        topic=topic.topic,
        key=correlation_key({name: value.data for name, value in known.items()}) if complete else None,
        known=known,
        variables=variables,
    )


def _compile_filter(compiler: "Compiler", node: Node, index: int, event_filter: EventFilter) -> FilterSpec:
    topic = compiler.topic(node, index, event_filter)
    expected: dict[str, Formula | None] = {
        name: None if template is None else compiler.formula_of(template) for name, template in topic.expected.items()
    }
    expected.update({name: compiler.formula_of(template) for name, template in topic.dynamic.items()})
    return FilterSpec(topic, expected)


def _compile_foreach(compiler: "Compiler", node: Node, task: ListenTask) -> ForeachSpec | None:
    each = task.foreach
    if each is None:
        return None
    pointer = f"{node.pointer}/foreach"
    return ForeachSpec(
        item=each.item,
        at=each.at,
        scope=None if each.do is None else compiler.scope(each.do),
        output_as=compiler.shape(each.output, f"{pointer}/output"),
        output_schema=compiler.schema(each.output, f"{pointer}/output"),
        export_as=compiler.shape(each.export, f"{pointer}/export"),
        export_schema=compiler.schema(each.export, f"{pointer}/export"),
    )


def _check(schema: Schema | None, value: Value, where: str) -> None:
    reason = None if schema is None else schema.validate(value.data)
    if reason is not None:
        raise validation_fault(where, reason)


def _spec(machine: "Machine", frame: Frame) -> ListenSpec:
    spec = machine.node(frame).spec
    assert isinstance(spec, ListenSpec)
    return spec


def _work(frame: Frame) -> ListenWork:
    assert isinstance(frame.work, ListenWork)
    return frame.work
