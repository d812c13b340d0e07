"""An event filter of a workflow, compiled: what an event must be, and the values by which it finds its listeners.

The part that is the same for every run is checked once per event. What depends on a run becomes a key, so that
finding the listeners is an index look-up; only a predicate that names variables of the run is checked one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.errors import Fault
from penstock.events.attributes import AttributeMatcher, compile_attribute
from penstock.events.correlation import correlation_key
from penstock.events.tool_events import TRIGGERED_ID
from penstock.expressions import Expression, Template, compile_expression, compile_template, strip_wrapper
from penstock.kernel.values import Value
from penstock.model.event_filters import EventFilter
from penstock.model.json_value import Json

_PATTERN_SIGNS: Final = frozenset("*+?[](){}|^$\\")


@dataclass(frozen=True, slots=True)
class EventTopic:
    """One event filter.

    `expressions` are evaluated on each event that `admits` lets through: `data` (a predicate, `.` is the event's
    data) and `correlate/NAME` (`.` is the whole event). `run_predicate` names variables of the run; its `.` is the
    event's data. `expected` and `dynamic` are evaluated by the listener when it subscribes: correlation values and
    attributes that it knows beforehand.
    """

    topic: str
    type: str | None
    matchers: tuple[tuple[str, AttributeMatcher], ...]
    expressions: tuple[tuple[str, Expression], ...]
    run_predicate: Expression | None
    expected: Mapping[str, Template | None]
    dynamic: Mapping[str, Template]

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names whose values make the key of a listener."""
        return (*self.expected, *self.dynamic)

    def admits(self, event: Mapping[str, Json]) -> bool:
        """Whether the attributes that are the same for every run match."""
        return all(name in event and matches(event[name]) for name, matches in self.matchers)

    def dot(self, label: str, event: Mapping[str, Json]) -> Json:
        """What `.` is for the expression with that label."""
        return event.get("data") if label == "data" else event

    def keys(self, event: Mapping[str, Json], values: Mapping[str, Json | Fault]) -> dict[str, Value] | None:
        """The event's values by key name; None if it does not match.

        `values` are the results of `expressions` by label. A predicate or a key that fails, and a key that the
        event does not have, is no match.
        """
        if "data" in values and (isinstance(values["data"], Fault) or values["data"] in (None, False)):
            return None
        found: dict[str, Value] = {}
        for name in self.expected:
            value = values[f"correlate/{name}"]
            if value is None or isinstance(value, Fault):
                return None
            found[name] = Value(value)
        for name in self.dynamic:
            attribute = name.removeprefix("with/")
            if attribute not in event:
                return None
            found[name] = Value(event[attribute])
        return found


def compile_topic(topic: str, event_filter: EventFilter) -> EventTopic:
    """Compiles a filter. Raises `ExpressionError` for an expression that cannot be one."""
    matchers: list[tuple[str, AttributeMatcher]] = []
    dynamic: dict[str, Template] = {}
    expressions: list[tuple[str, Expression]] = []
    run_predicate: Expression | None = None
    for name, wanted in event_filter.attributes.items():
        template = compile_template(wanted)
        if template.constant:
            matchers.append((name, compile_attribute(name, wanted)))
        elif name == "data" and isinstance(wanted, str):
            predicate = compile_expression(strip_wrapper(wanted) or wanted)
            if predicate.names - {"__now"}:
                run_predicate = predicate
            else:
                expressions.append(("data", predicate))
        else:
            dynamic[f"with/{name}"] = template
    expressions += [
        (f"correlate/{item.key}", compile_expression(strip_wrapper(item.from_) or item.from_))
        for item in event_filter.correlate
    ]
    return EventTopic(
        topic=topic,
        type=_literal_type(event_filter.attributes.get("type")),
        matchers=tuple(matchers),
        expressions=tuple(expressions),
        run_predicate=run_predicate,
        expected={item.key: _expected(item.expect) for item in event_filter.correlate},
        dynamic=dynamic,
    )


def _literal_type(wanted: Json) -> str | None:
    if not isinstance(wanted, str) or not _PATTERN_SIGNS.isdisjoint(wanted):
        return None
    return wanted


def _expected(expect: str | None) -> Template | None:
    """A constant unless it is wrapped or starts like a path or a variable (docs/dsl-decisions.md)."""
    if expect is None:
        return None
    return compile_template(expect, bare=expect.lstrip().startswith((".", "$")))


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and value != ""


TASK_TOPIC: Final = EventTopic(
    topic="penstock#tasks",
    type=None,
    matchers=((TRIGGERED_ID, _is_text),),
    expressions=(),
    run_predicate=None,
    expected={},
    dynamic={f"with/{TRIGGERED_ID}": compile_template(f"${{ .{TRIGGERED_ID} }}")},
)
"""The events by which tools answer: all that name what triggered them. The one topic that no workflow defines, so
that it belongs to every engine's listeners from the beginning. Its name is none that a workflow's filter can have."""


def task_key(call_id: str) -> str:
    """The key under which a task that tools take by event is found by their answers."""
    return correlation_key(dict.fromkeys(TASK_TOPIC.key_names, call_id))
