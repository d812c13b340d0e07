"""An event filter in the words of the document: what it asks for, and how an event for it can be sent. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from penstock.events.attributes import attribute_text, is_pattern
from penstock.expressions import strip_wrapper
from penstock.kernel.nodes import Node, Program
from penstock.kernel.tasks.listen import ListenSpec
from penstock.kernel.topics import EventTopic
from penstock.model.event_filters import EventFilter
from penstock.model.json_value import Json
from penstock.model.limits import MAX_WHY_TEXT
from penstock.model.plain_data import is_map

_PATH: Final = re.compile(r"\.data((?:\.[A-Za-z_]\w*)+)", re.ASCII)
_STEP: Final = re.compile(r"\w+", re.ASCII)
_OPTIONS: Final = ("source", "subject")
_decode: Final = msgspec.json.Decoder().decode


class FilterPlace(NamedTuple):
    """A filter of a program, and the task whose it is. `number` counts over all filters of the task, those of `until`
    last; `ends` says that it is one of these."""

    node: Node
    number: int
    filter: EventFilter
    topic: EventTopic
    ends: bool


def filters_of(program: Program) -> dict[str, FilterPlace]:
    """Every filter that runs of the program listen with, by topic."""
    return {place.topic.topic: place for node in program.nodes for place in filters_at(node)}


def filters_at(node: Node) -> Iterator[FilterPlace]:
    """The filters of a task that listens; none for another."""
    spec = node.spec
    if not isinstance(spec, ListenSpec):
        return
    until = spec.strategy.until_strategy
    written = spec.strategy.filters or ((EventFilter({}),) if spec.count else ())
    written = (*written, *(() if until is None else until.filters))
    for index, (one, compiled) in enumerate(zip(written, spec.filters, strict=True)):
        yield FilterPlace(node, index, one, compiled.topic, index >= spec.count)


def clauses(place: FilterPlace, known: Mapping[str, bytes]) -> list[dict[str, Json]]:
    """What an event must be, clause by clause as the document has them.

    `known` are the values that the listener knows, as JSON by key name. A clause is
    `{"clause", "expected"}`, for a predicate `{"clause", "expression"}`, and for a correlation `{"clause", "from"}`
    with `expected` if it is known.
    """
    found: list[dict[str, Json]] = []
    constant = {name for name, _ in place.topic.matchers}
    for name, wanted in place.filter.attributes.items():
        clause = f"with.{name}"
        if name in constant:
            found.append({"clause": clause, "expected": wanted})
        elif f"with/{name}" in place.topic.dynamic:
            expected = known.get(f"with/{name}")
            found.append({"clause": clause, "expected": wanted if expected is None else _decode(expected)})
        else:
            found.append({"clause": clause, "expression": wanted})
    for one in place.filter.correlate:
        clause_of: dict[str, Json] = {"clause": f"correlate.{one.key}", "from": one.from_}
        if one.key in known:
            clause_of["expected"] = _decode(known[one.key])
        found.append(clause_of)
    return found


def sentence(place: FilterPlace, known: Mapping[str, bytes]) -> str:
    """`type "order.paid", order "A-1"`, for people."""
    parts: list[str] = []
    for one in clauses(place, known):
        name = str(one["clause"])
        if "expression" in one:
            parts.append(f"{name} {cut(str(one['expression']))}")
        elif "expected" in one:
            parts.append(f"{name} {shown(one['expected'])}")
        else:
            parts.append(f"{name} of any value, which then holds")
    return "an event with " + ", ".join(parts) if parts else "any event"


def send_command(place: FilterPlace, known: Mapping[str, bytes]) -> str:
    """A command that sends an event for the filter; words in capitals stand for what the filter leaves open."""
    attributes: dict[str, str] = {}
    data: dict[str, Json] = {}
    for one in clauses(place, known):
        name = str(one["clause"])
        if name.startswith("with.") and "expected" in one:
            _add_attribute(attributes, data, name.removeprefix("with."), one["expected"])
        elif "from" in one:
            _add_value(attributes, data, str(one["from"]), one.get("expected", "VALUE"))
    words = ["penstock", "send", attributes.pop("type", "TYPE")]
    for name, text in attributes.items():
        words += [f"--{name}", text] if name in _OPTIONS else ["--extension", f"{name}={text}"]
    if data:
        words += ["--data", msgspec.json.encode(data).decode()]
    return shlex.join(words)


def _add_attribute(attributes: dict[str, str], data: dict[str, Json], name: str, expected: Json) -> None:
    if name == "data":
        if is_map(expected):
            data.update(expected)
        return
    text = attribute_text(expected)
    open_ = text is None or (isinstance(expected, str) and is_pattern(expected))
    if name not in ("id", "time", "specversion", "datacontenttype", "dataschema"):
        attributes[name] = name.upper() if open_ or text is None else text


def _add_value(attributes: dict[str, str], data: dict[str, Json], expression: str, value: Json) -> None:
    """Puts a correlation value where a plain path finds it; other expressions are left to whoever sends."""
    path = (strip_wrapper(expression) or expression).strip()
    if (found := _PATH.fullmatch(path)) is not None:
        steps: list[str] = _STEP.findall(found[1])
        inner: Json = data
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
            if not is_map(inner):
                return
        inner[steps[-1]] = value
    elif re.fullmatch(r"\.[a-z0-9]+", path) and path[1:] not in ("type", "id", "time", "data"):
        text = attribute_text(value)
        attributes.setdefault(path[1:], "VALUE" if text is None else text)


def shown(value: Json) -> str:
    """A value as short JSON."""
    return cut(msgspec.json.encode(value).decode())


def cut(text: str) -> str:
    return text if len(text) <= MAX_WHY_TEXT else text[: MAX_WHY_TEXT - 1] + "…"
