"""What a workflow compiles to: a flat list of nodes, each one task of the document, ready to be run.

Immutable after compilation and free of state, so that one program serves every run of its workflow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.expressions import Expression, Schema, Template
from penstock.kernel.topics import EventTopic
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.tasks import Task
from penstock.model.workflow import Workflow, WorkflowIdentity


@dataclass(frozen=True, slots=True)
class Scope:
    """A task list: node ids in order, and where each name stands in it."""

    nodes: tuple[int, ...]
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Formula:
    """A template of the definition. `constant` is its value when nothing in it is an expression; `outside` are the
    expressions that the kernel does not evaluate itself (pointer, expression): not native, or naming secrets."""

    template: Template
    constant: Value | None
    outside: tuple[tuple[str, Expression], ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delay:
    """A duration: milliseconds, or a formula that yields a literal duration."""

    ms: int = 0
    formula: Formula | None = None


@dataclass(slots=True)
class Node:
    """One task. `scope` and `position` say where it stands; `spec` belongs to its kind (penstock.kernel.tasks)."""

    id: int
    kind: str
    name: str
    pointer: str
    task: Task | None
    scope: Scope | None = None
    position: int = 0
    then: str = "continue"
    condition: Formula | None = None
    input_schema: Schema | None = None
    input_from: Formula | None = None
    output_as: Formula | None = None
    output_schema: Schema | None = None
    export_as: Formula | None = None
    export_schema: Schema | None = None
    timeout: Delay | None = None
    provides: tuple[str, ...] = ()
    spec: object = None

    @property
    def definition(self) -> Json:
        return None if self.task is None else self.task.definition


@dataclass(frozen=True, slots=True)
class Program:
    """A workflow compiled once. `nodes[0]` is the workflow itself. `topics` are the event filters that it listens
    with, by topic; the runtime needs them to match events. `shadowed` are standard variables whose names loops,
    catches or listeners took for their own."""

    workflow: Workflow
    nodes: tuple[Node, ...]
    topics: Mapping[str, EventTopic] = field(default_factory=dict[str, EventTopic])
    shadowed: frozenset[str] = frozenset()

    @property
    def identity(self) -> WorkflowIdentity:
        return self.workflow.identity
