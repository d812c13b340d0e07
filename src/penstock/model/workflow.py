"""A workflow document: what the DSL says, typed and validated, without behaviour."""

from typing import Literal

import msgspec

from penstock.model.data_flow import Authentication, InputDefinition, OutputDefinition
from penstock.model.durations import Duration
from penstock.model.event_filters import EventStrategy, ReadAs
from penstock.model.json_value import Json
from penstock.model.policies import ErrorDefinition, RetryPolicy
from penstock.model.tasks import Task, TaskList


class WorkflowIdentity(msgspec.Struct, frozen=True, order=True):
    """Names one immutable definition."""

    namespace: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.version}"


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    every: Duration | None = None
    cron: str | None = None
    after: Duration | None = None
    on: EventStrategy | None = None
    read: ReadAs = "data"


class Extension(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    extend: str
    when: str | None = None
    before: TaskList | None = None
    after: TaskList | None = None


class Use(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reusable components. Everything but functions is already resolved where it is used."""

    authentications: dict[str, Authentication] = {}
    catalogs: dict[str, Json] = {}
    errors: dict[str, ErrorDefinition] = {}
    extensions: tuple[Extension, ...] = ()
    functions: dict[str, Task] = {}
    retries: dict[str, RetryPolicy] = {}
    secrets: tuple[str, ...] = ()
    timeouts: dict[str, Duration] = {}


class Workflow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`definition` is the whole document as plain data, the form in which it is stored, hashed and shown."""

    identity: WorkflowIdentity
    dsl: str
    definition: dict[str, Json]
    do: TaskList
    title: str = ""
    summary: str = ""
    tags: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    input: InputDefinition | None = None
    output: OutputDefinition | None = None
    use: Use = Use()
    timeout: Duration | None = None
    schedule: Schedule | None = None
    mode: Literal["strict", "loose"] = "strict"
