"""The tasks of the DSL, one type per kind. Immutable, validated, without behaviour.

References to `use` (timeouts, retries, errors, authentications) are resolved when the document is read; only
functions stay names, because a name may also mean a capability.
"""

from typing import Literal

import msgspec

from penstock.model.data_flow import Authentication, Endpoint, ExternalResource, InputDefinition, OutputDefinition
from penstock.model.durations import Duration
from penstock.model.event_filters import EventStrategy, ReadAs
from penstock.model.json_value import Json
from penstock.model.policies import ErrorDefinition, ErrorFilter, RetryPolicy

OutputFormat = Literal["raw", "content", "response"]


class NamedTask(msgspec.Struct, frozen=True):
    """One item of a task list. `pointer` is its place in the document and its task reference: `/do/0/getPet`."""

    name: str
    pointer: str
    task: "Task"


TaskList = tuple[NamedTask, ...]


class TaskBase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every task has. `definition` is the task's plain data, as `$task.definition` shows it."""

    definition: Json
    if_: str | None = None
    input: InputDefinition | None = None
    output: OutputDefinition | None = None
    export: OutputDefinition | None = None
    timeout: Duration | None = None
    then: str = "continue"
    metadata: dict[str, Json] = {}


class DoTask(TaskBase, frozen=True, kw_only=True, tag="do"):
    do: TaskList


class SetTask(TaskBase, frozen=True, kw_only=True, tag="set"):
    """`value`: an object that is walked, or one expression string."""

    value: Json


class SwitchCase(msgspec.Struct, frozen=True):
    name: str
    then: str
    when: str | None = None


class SwitchTask(TaskBase, frozen=True, kw_only=True, tag="switch"):
    cases: tuple[SwitchCase, ...]


class ForTask(TaskBase, frozen=True, kw_only=True, tag="for"):
    """`in_`: an expression string, or an inline list."""

    in_: Json
    do: TaskList
    each: str = "item"
    at: str = "index"
    while_: str | None = None


class ForkTask(TaskBase, frozen=True, kw_only=True, tag="fork"):
    branches: TaskList
    compete: bool = False


class RaiseTask(TaskBase, frozen=True, kw_only=True, tag="raise"):
    error: ErrorDefinition


class Catch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a `try` catches and what it does then. `do` is None when absent, which is not the same as empty."""

    errors: ErrorFilter | None = None
    as_: str = "error"
    when: str | None = None
    except_when: str | None = None
    retry: RetryPolicy | None = None
    do: TaskList | None = None
    then: str | None = None


class TryTask(TaskBase, frozen=True, kw_only=True, tag="try"):
    try_: TaskList
    catch: Catch


class WaitTask(TaskBase, frozen=True, kw_only=True, tag="wait"):
    wait: Duration


class EmitTask(TaskBase, frozen=True, kw_only=True, tag="emit"):
    """`event`: the attributes under `emit.event.with`, as written."""

    event: dict[str, Json]


class Foreach(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done with each consumed event."""

    item: str = "item"
    at: str = "index"
    do: TaskList | None = None
    output: OutputDefinition | None = None
    export: OutputDefinition | None = None


class ListenTask(TaskBase, frozen=True, kw_only=True, tag="listen"):
    to: EventStrategy
    read: ReadAs = "data"
    foreach: Foreach | None = None


class RunWorkflow(msgspec.Struct, frozen=True, tag="workflow"):
    """`input` as written; None when absent: the child gets the task's input."""

    namespace: str
    name: str
    version: str
    input: Json = None


class RunProcess(msgspec.Struct, frozen=True, tag="process"):
    """A process that loads but does not run yet."""

    kind: Literal["container", "script", "shell"]
    settings: Json
    return_: str = "stdout"


class RunTask(TaskBase, frozen=True, kw_only=True, tag="run"):
    run: RunWorkflow | RunProcess
    await_: bool = True


class CallHttp(msgspec.Struct, frozen=True, tag="http", omit_defaults=True):
    """`headers` and `query`: an object of strings and expressions, one expression string, or None."""

    method: str
    endpoint: Endpoint
    headers: Json = None
    query: Json = None
    body: Json = None
    has_body: bool = False  # tells a body of null from none
    output: OutputFormat = "content"
    redirect: bool = False


class CallOpenApi(msgspec.Struct, frozen=True, tag="openapi", omit_defaults=True):
    document: ExternalResource
    operation_id: str
    parameters: dict[str, Json] = {}
    authentication: Authentication | None = None
    output: OutputFormat = "content"
    redirect: bool = False


class CallFunction(msgspec.Struct, frozen=True, tag="function", omit_defaults=True):
    """`name`: of `use.functions`, a URL, `name:version[@catalog]`, or a capability."""

    name: str
    arguments: dict[str, Json] = {}
    has_arguments: bool = False


class CallOther(msgspec.Struct, frozen=True, tag="other"):
    """A call that loads but does not run yet."""

    kind: Literal["asyncapi", "grpc", "a2a", "mcp"]
    arguments: Json


Call = CallHttp | CallOpenApi | CallFunction | CallOther


class CallTask(TaskBase, frozen=True, kw_only=True, tag="call"):
    call: Call


Task = (
    DoTask
    | SetTask
    | SwitchTask
    | ForTask
    | ForkTask
    | RaiseTask
    | TryTask
    | WaitTask
    | EmitTask
    | ListenTask
    | RunTask
    | CallTask
)
