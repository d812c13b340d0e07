"""Compiles a workflow to a program: names become node ids, expressions closures, schemas validators.

Pure. What lies elsewhere (schemas, functions by URL) must have been fetched before and comes in `Resources`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from penstock.errors import Unprocessable
from penstock.expressions import (
    ExpressionError,
    Schema,
    SchemaError,
    Template,
    compile_schema,
    compile_template,
)
from penstock.kernel.nodes import Delay, Formula, Node, Program, Scope
from penstock.kernel.scope import STANDARD_VARIABLES
from penstock.kernel.tasks.registry import KINDS
from penstock.kernel.topics import EventTopic, compile_topic
from penstock.kernel.values import Value
from penstock.model import load_data, refusals
from penstock.model.data_flow import Authentication, InputDefinition, OutputDefinition, SchemaReference
from penstock.model.durations import Duration
from penstock.model.event_filters import EventFilter
from penstock.model.json_value import Json
from penstock.model.pointers import join
from penstock.model.tasks import CallFunction, CallOpenApi, CallTask, ListenTask, NamedTask, Task, TaskList
from penstock.model.walk import tasks_of
from penstock.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Resources:
    """Documents that a workflow refers to, fetched when it was deployed: parsed JSON by URI."""

    documents: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """A document that must be fetched before the workflow can be compiled."""

    kind: Literal["schema", "function", "openapi"]
    uri: str
    pointer: str
    authentication: Authentication | None = None


def external_resources(workflow: Workflow, resources: Resources | None = None) -> tuple[ResourceUse, ...]:
    """Every document elsewhere that the workflow needs, in the order of the document.

    What functions need that were fetched already (`resources`) is among them: fetch until nothing new is named.
    """
    found: dict[str, ResourceUse] = {}
    for use in _uses_of(workflow):
        found.setdefault(use.uri, use)
        if use.kind == "function" and resources is not None and use.uri in resources.documents:
            inner, _ = _function_document(use.uri, resources.documents[use.uri])
            if inner is not None:
                for nested in _uses_of(inner):
                    found.setdefault(nested.uri, nested)
    return tuple(found.values())


def _uses_of(workflow: Workflow) -> Iterator[ResourceUse]:
    for pointer, definition in ((("/input"), workflow.input), (("/output"), workflow.output)):
        yield from _schema_use(f"{pointer}/schema", definition)
    for pointer, task in tasks_of(workflow):
        for name, definition in (("input", task.input), ("output", task.output), ("export", task.export)):
            yield from _schema_use(f"{pointer}/{name}/schema", definition)
        if isinstance(task, ListenTask) and task.foreach is not None:
            yield from _schema_use(f"{pointer}/foreach/output/schema", task.foreach.output)
            yield from _schema_use(f"{pointer}/foreach/export/schema", task.foreach.export)
        if isinstance(task, CallTask):
            match task.call:
                case CallOpenApi(document=document):
                    endpoint = document.endpoint
                    yield ResourceUse("openapi", endpoint.uri, f"{pointer}/with/document", endpoint.authentication)
                case CallFunction(name=name) if _is_url(name):
                    yield ResourceUse("function", name, f"{pointer}/call")
                case _:
                    pass


def _schema_use(pointer: str, definition: InputDefinition | OutputDefinition | None) -> Iterator[ResourceUse]:
    if definition is not None and definition.schema is not None and definition.schema.resource is not None:
        endpoint = definition.schema.resource.endpoint
        yield ResourceUse("schema", endpoint.uri, pointer, endpoint.authentication)


def _function_document(uri: str, task: Json) -> tuple[Workflow | None, str]:
    """A fetched function as the only function of a workflow of its own; else the reasons why it is none."""
    document = {"dsl": "1.0.3", "namespace": "functions", "name": "fetched", "version": "1.0.0"}
    call = {"call": uri}
    loaded = load_data({"document": document, "use": {"functions": {uri: task}}, "do": [{"call": call}]}, name=uri)
    problems = [*loaded.errors, *(refusals(loaded) if loaded.valid else ())]
    return (None if problems else loaded.workflow), "; ".join(f"{p.pointer}: {p.message}" for p in problems)


def compile_program(workflow: Workflow, resources: Resources | None = None) -> Program:
    """The program of a workflow. Raises `Unprocessable` if an expression, a schema or a resource is wrong."""
    return Compiler(workflow, resources or Resources()).program()


class Compiler:
    """Compiles one workflow. Task kinds call it for their parts."""

    def __init__(self, workflow: Workflow, resources: Resources) -> None:
        self._workflow = workflow
        self._resources = resources
        self._nodes: list[Node] = []
        self._topics: dict[str, EventTopic] = {}
        self._functions: dict[str, int] = {}

    def program(self) -> Program:
        root = Node(id=0, kind="workflow", name=self._workflow.identity.name, pointer="", task=None)
        self._nodes.append(root)
        self._shape_data(root, self._workflow.input, self._workflow.output, None)
        root.timeout = self.optional_delay(self._workflow.timeout, "/timeout")
        root.spec = self.scope(self._workflow.do)
        provided = {name for node in self._nodes for name in node.provides}
        return Program(self._workflow, tuple(self._nodes), self._topics, STANDARD_VARIABLES & provided)

    # What task kinds use

    def scope(self, tasks: TaskList) -> Scope:
        """Compiles a task list."""
        ids = [self._add(named) for named in tasks]
        scope = Scope(tuple(ids), {named.name: position for position, named in enumerate(tasks)})
        for position, node_id in enumerate(ids):
            self._nodes[node_id].scope = scope
            self._nodes[node_id].position = position
        return scope

    def branch(self, named: NamedTask) -> int:
        """Compiles a task that stands alone: a branch of a fork, a function."""
        return self._add(named)

    def function(self, name: str) -> int | None:
        """The node of a function of this document, or of one fetched by URL; None if it is neither."""
        if name in self._functions:
            return self._functions[name]
        if name in self._workflow.use.functions:
            named = NamedTask(name, join("/use/functions", name), self._workflow.use.functions[name])
        elif _is_url(name):
            named = self._fetched_function(name)
        else:
            return None
        return self._add(named, function=name)

    def formula(self, value: Json, pointer: str, *, bare: bool = False) -> Formula:
        """Compiles a structure with expressions inside."""
        try:
            return self.formula_of(compile_template(value, mode=self._workflow.mode, bare=bare))
        except ExpressionError as error:
            raise self._refuse(pointer, f"expression: {error.message}") from None

    def formula_of(self, template: Template) -> Formula:
        constant = Value(template.build(None, {}, {})) if template.constant else None
        outside = tuple((p, e) for p, e in template.expressions if e.uses_secrets or not e.native)
        return Formula(template, constant, outside, template.names)

    def optional(self, text: str | None, pointer: str) -> Formula | None:
        """A condition, with or without `${ }` around it."""
        return None if text is None else self.formula(text, pointer, bare=True)

    def delay(self, duration: Duration, pointer: str) -> Delay:
        if duration.expression is None:
            return Delay(ms=duration.ms or 0)
        return Delay(formula=self.formula(duration.expression, pointer, bare=True))

    def optional_delay(self, duration: Duration | None, pointer: str) -> Delay | None:
        return None if duration is None else self.delay(duration, pointer)

    def topic(self, node: Node, index: int, event_filter: EventFilter) -> EventTopic:
        """Compiles an event filter under its topic."""
        name = f"{self._workflow.identity}#{node.pointer}/{index}"
        try:
            topic = compile_topic(name, event_filter)
        except ExpressionError as error:
            raise self._refuse(f"{node.pointer}/listen/to", f"expression: {error.message}") from None
        self._topics[name] = topic
        return topic

    def shape(self, definition: OutputDefinition | None, pointer: str) -> Formula | None:
        """`output.as` or `export.as`."""
        if definition is None or definition.as_ is None:
            return None
        return self.formula(definition.as_, f"{pointer}/as", bare=isinstance(definition.as_, str))

    def schema(self, definition: InputDefinition | OutputDefinition | None, pointer: str) -> Schema | None:
        if definition is None or definition.schema is None:
            return None
        reference = definition.schema
        try:
            return compile_schema(self._schema_document(reference), self._resources.documents)
        except SchemaError as error:
            raise self._refuse(f"{pointer}/schema", error.message) from None

    # Inside

    def _add(self, named: NamedTask, *, function: str | None = None) -> int:
        task = named.task
        node = Node(
            id=len(self._nodes),
            kind=_kind(task),
            name=named.name,
            pointer=named.pointer,
            task=task,
            then=task.then,
        )
        self._nodes.append(node)
        if function is not None:
            self._functions[function] = node.id
        node.condition = self.optional(task.if_, f"{node.pointer}/if")
        self._shape_data(node, task.input, task.output, task.export)
        node.timeout = self.optional_delay(task.timeout, f"{node.pointer}/timeout")
        node.spec = KINDS[node.kind].compile(self, node, task)
        return node.id

    def _shape_data(
        self,
        node: Node,
        given: InputDefinition | None,
        output: OutputDefinition | None,
        export: OutputDefinition | None,
    ) -> None:
        node.input_schema = self.schema(given, f"{node.pointer}/input")
        if given is not None and given.from_ is not None:
            node.input_from = self.formula(given.from_, f"{node.pointer}/input/from", bare=isinstance(given.from_, str))
        node.output_as = self.shape(output, f"{node.pointer}/output")
        node.output_schema = self.schema(output, f"{node.pointer}/output")
        node.export_as = self.shape(export, f"{node.pointer}/export")
        node.export_schema = self.schema(export, f"{node.pointer}/export")

    def _schema_document(self, reference: SchemaReference) -> Json:
        if reference.resource is None:
            return reference.document
        uri = reference.resource.endpoint.uri
        if uri not in self._resources.documents:
            raise SchemaError(f"the schema {uri} has not been fetched")
        return self._resources.documents[uri]

    def _fetched_function(self, uri: str) -> NamedTask:
        if uri not in self._resources.documents:
            raise self._refuse("/do", f"the function {uri} has not been fetched")
        inner, problems = _function_document(uri, self._resources.documents[uri])
        if inner is None:
            raise self._refuse("/do", f"the function {uri} is not valid: {problems}")
        name = uri.rstrip("/").rsplit("/", 1)[-1]
        return NamedTask(name, join("/use/functions", uri), inner.use.functions[uri])

    def _refuse(self, pointer: str, message: str) -> Unprocessable:
        return Unprocessable(f"{pointer}: {message}", errors=({"pointer": pointer, "message": message},))


def _kind(task: Task) -> str:
    return str(task.__struct_config__.tag)


def _is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))
