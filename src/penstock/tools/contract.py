"""What the runtime and the tools agree on: who performs a call, with what at hand, and what comes of it."""

from typing import Protocol, TypeAlias

import msgspec

from penstock.errors import Fault, PenstockError
from penstock.kernel.commands import Invoke
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_PUSH_ATTEMPTS, PULL_LEASE_MS, PUSH_TIMEOUT_MS
from penstock.model.workflow import WorkflowIdentity

Outcome: TypeAlias = Value | Fault
"""What a call gave: its output, or why there is none; with `unknown_outcome` it may have had effect."""


class SecretUnavailable(PenstockError):
    """The secret does not exist, or the workflow does not declare it. The message names it, no more."""


class ResourceMissing(PenstockError):
    """No pinned document has this URI."""


class HttpTransport(msgspec.Struct, frozen=True, tag="http", tag_field="kind", omit_defaults=True):
    """The engine sends the input as JSON to `endpoint`; the JSON that comes back is the output.

    `answer` "object" refuses every other kind of JSON, for workflows that merge what services answer.
    """

    endpoint: str
    method: str = "POST"
    headers: dict[str, str] = {}
    answer: str = "any"


class PushTransport(msgspec.Struct, frozen=True, tag="push", tag_field="kind", omit_defaults=True):
    """The engine POSTs each task to `url` as a CloudEvent; the tool answers by events of its own, when it is done.

    `secret` names the stored secret that signs what is sent, "" for none. A delivery that is not taken within
    `timeout_ms` is tried again, `attempts` times in all.
    """

    url: str
    secret: str = ""
    headers: dict[str, str] = {}
    timeout_ms: int = PUSH_TIMEOUT_MS
    attempts: int = MAX_PUSH_ATTEMPTS


class PullTransport(msgspec.Struct, frozen=True, tag="pull", tag_field="kind", omit_defaults=True):
    """The tool fetches each task, and has it for `lease_ms`, or longer while it shows that it lives."""

    lease_ms: int = PULL_LEASE_MS


EventTransport: TypeAlias = PushTransport | PullTransport
"""Of tools that take work by event, and answer by events."""
Transport: TypeAlias = HttpTransport | EventTransport


class ToolDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A registered tool. `input` and `output` are JSON Schemas; `timeout_ms` 0 leaves it to the call.

    `stage` "" serves every stage; `weight` is the tool's share of the calls among its equals.
    `metadata` is free, for notations that know more about a tool. For tools that take work by event: `prefix` stands
    before the capability in the types of events, and somebody must have started after `start_timeout_ms` (0 for no
    such deadline).
    """

    name: str
    capability: str
    transport: Transport
    stage: str = ""
    weight: int = 1
    input: Json = None
    output: Json = None
    timeout_ms: int = 0
    metadata: dict[str, Json] = {}
    prefix: str = ""
    start_timeout_ms: int = 0


class CallContext(Protocol):
    """What a call may look at. One per call; nothing in it blocks."""

    @property
    def run_id(self) -> str: ...
    @property
    def workflow(self) -> WorkflowIdentity: ...
    @property
    def attempt(self) -> int:
        """How often this call was dispatched, from 1."""
        ...

    def resource(self, uri: str) -> Json:
        """The data of a pinned document; raises `ResourceMissing`."""
        ...

    def secret(self, name: str) -> Json:
        """The value of a declared secret; raises `SecretUnavailable`."""
        ...

    def mask(self, text: str) -> str:
        """The text with every rendered secret of this call replaced."""
        ...

    def now_ms(self) -> int:
        """The time, milliseconds UTC."""
        ...


class Performer(Protocol):
    """Performs `Invoke` commands. Cancelling the task stops the call at once."""

    async def perform(self, invoke: Invoke, arguments: Json, context: CallContext) -> Outcome:
        """`arguments` is `invoke.arguments` with the deferred parts filled in: it may hold rendered secrets,
        so it is never logged, and never repeated in an outcome. A `Value` that comes back is JSON that the engine
        can carry (`check_json`), of at most `MAX_VALUE_BYTES`. Never raises but for cancellation."""
        ...


class ToolDirectory(Protocol):
    """Knows which tool provides a capability."""

    async def tool_for(self, capability: str, context: CallContext) -> ToolDefinition | None:
        """The tool that the binding picks for this call, the same for every dispatch of one call id.

        None when nobody provides the capability.
        """
        ...
