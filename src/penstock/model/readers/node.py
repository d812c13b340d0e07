"""What every reader works with: a value with its pointer (`Node`), an object's members (`Fields`), and what
is collected on the way (`Reading`).

A reader never raises: it reports and returns a stand-in value, so that one pass finds every mistake. When an
error was reported, the values are thrown away.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal, TypeVar

import msgspec

from penstock.model import pointers
from penstock.model.data_flow import Authentication
from penstock.model.diagnostics import Diagnostic, Severity, suggestion
from penstock.model.durations import Duration
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DIAGNOSTICS, MAX_MESSAGE_CHARS
from penstock.model.plain_data import is_list, is_map
from penstock.model.policies import ErrorDefinition, RetryPolicy
from penstock.model.source import Source

T = TypeVar("T")

SiteKind = Literal["condition", "transform", "value", "call"]


class ExpressionSite(msgspec.Struct, frozen=True):
    """A place whose text is an expression. `text` is as written, with or without `${ }`.

    `condition` and `transform` places are expressions by type; `value` is a `${ }` string in data; `call` is
    one inside a call, which is evaluated at dispatch when it names a secret.
    """

    pointer: str
    text: str
    kind: SiteKind


class TextSite(msgspec.Struct, frozen=True):
    """A literal text in a place where `${ }` strings are expressions."""

    pointer: str
    text: str


class ConstructUse(msgspec.Struct, frozen=True):
    """That a construct of `model.constructs.CONSTRUCTS` stands at a place."""

    construct: str
    pointer: str


class Reading:
    """What one pass over a document collects, and the names that tasks may refer to."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.expressions: list[ExpressionSite] = []
        self.texts: list[TextSite] = []
        self.constructs: list[ConstructUse] = []
        self.errors: dict[str, ErrorDefinition] = {}
        self.timeouts: dict[str, Duration] = {}
        self.retries: dict[str, RetryPolicy] = {}
        self.authentications: dict[str, Authentication] = {}
        self.functions: Collection[str] = ()
        self.secrets: Collection[str] = ()
        self.tasks = 0
        self.failed = False

    def report(self, severity: Severity, pointer: str, message: str, code: str, *, at_key: bool = False) -> None:
        """Adds a finding; beyond the limit only the fact that there are more is kept."""
        self.failed = self.failed or severity == "error"
        if len(self.diagnostics) >= MAX_DIAGNOSTICS:
            return
        if len(self.diagnostics) == MAX_DIAGNOSTICS - 1:
            severity, message, code = (
                "error" if self.failed else "warning",
                "more follows; not listed",
                "too-many",
            )
        line, column = self.source.locate_key(pointer) if at_key else self.source.locate(pointer)
        self.diagnostics.append(Diagnostic(severity, pointer, message[:MAX_MESSAGE_CHARS], code, line, column))

    def suggest(self, wanted: str, known: Iterable[str]) -> str:
        """A `did you mean`, as long as findings are still listed."""
        return suggestion(wanted, known) if len(self.diagnostics) < MAX_DIAGNOSTICS else ""

    def note(self, construct: str, pointer: str) -> None:
        self.constructs.append(ConstructUse(construct, pointer))


class Node:
    """A value of the document and where it stands."""

    __slots__ = ("pointer", "reading", "value")

    def __init__(self, value: Json, pointer: str, reading: Reading) -> None:
        self.value = value
        self.pointer = pointer
        self.reading = reading

    def error(self, message: str, code: str = "type", *, at_key: bool = False) -> None:
        self.reading.report("error", self.pointer, message, code, at_key=at_key)

    def warn(self, message: str, code: str, *, at_key: bool = False) -> None:
        self.reading.report("warning", self.pointer, message, code, at_key=at_key)

    def wrong_type(self, expected: str) -> None:
        hint = "; quote it" if expected == "a text" and isinstance(self.value, int | float) else ""
        self.error(f"expected {expected}, found {describe(self.value)}{hint}")

    def member(self, key: str | int, value: Json) -> "Node":
        return Node(value, pointers.join(self.pointer, key), self.reading)

    def items(self) -> "Iterator[Node]":
        """The items of a list; reports and yields nothing when it is none."""
        if not is_list(self.value):
            self.wrong_type("a list")
            return
        for index, value in enumerate(self.value):
            yield self.member(index, value)

    def members(self) -> "Iterator[tuple[str, Node]]":
        """The members of an object; reports and yields nothing when it is none."""
        if not is_map(self.value):
            self.wrong_type("a map")
            return
        for key, value in self.value.items():
            yield key, self.member(key, value)


def describe(value: Json) -> str:
    """A value's type, and the value when it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "a list" if is_list(value) else "a map"


class Fields:
    """The members of an object whose keys are known: reports unknown and missing ones once."""

    def __init__(
        self, node: Node, known: Collection[str], required: Collection[str] = (), *, open_: bool = False
    ) -> None:
        self.node = node
        self.values: dict[str, Json] = {}
        if not is_map(node.value):
            node.wrong_type("a map")
            return
        self.values = node.value
        for key, value in self.values.items():
            if key not in known:
                self._unknown(node.member(key, value), key, known, open_)
        for key in required:
            if key not in self.values:
                node.error(f"the required key {key!r} is missing", "missing-key", at_key=True)

    def _unknown(self, member: Node, key: str, known: Collection[str], open_: bool) -> None:
        message = f"unknown key {key[:100]!r}{member.reading.suggest(key, known)}"
        if open_:
            member.warn(f"{message}; it is ignored", "unknown-key", at_key=True)
        else:
            member.error(message, "unknown-key", at_key=True)

    def has(self, key: str) -> bool:
        return key in self.values

    def node_of(self, key: str) -> Node:
        """The member as a node; a missing one holds None."""
        return self.node.member(key, self.values.get(key))

    def read(self, key: str, reader: Callable[[Node], T], default: T) -> T:
        """The member read by `reader`, or the default when it is absent."""
        return reader(self.node_of(key)) if key in self.values else default

    def plain(self, key: str) -> Json:
        return self.values.get(key)
