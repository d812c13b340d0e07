"""Everything that the kernel may ask of the world: imperative, data only, performed after the commit.

The closed list is the whole reach of a workflow. Deadlines are no command: `RunState.next_at` holds the next.
"""

from typing import Literal

import msgspec

from penstock.kernel.messages import Message
from penstock.kernel.values import Value

CallKind = Literal["http", "openapi", "capability"]


class Deferred(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An expression that names `$secrets` (or `$authorization`): evaluated by the shell when it dispatches.

    The result replaces what stands at `pointer` inside the arguments. `variables` holds the others that it names.
    """

    pointer: str
    expression: str
    dot: Value
    variables: dict[str, Value]


class Invoke(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t", omit_defaults=True):
    """Call the world. Answer with `CallFinished(call_id=…)`, once; a repeated answer is stale and does no harm.

    `call_id` is the idempotency key: the same after a crash or an unknown outcome. `arguments` by kind:
    - http: `{"method", "uri", "headers"?: {}, "query"?: {}, "body"?: any, "authentication"?: A, "output", "redirect"}`
    - openapi: `{"document": URI, "operationId", "parameters": {}, "authentication"?: A, "output", "redirect"}`
    - capability: `{"name", "input": any}`
    where A is `{"basic": {"username","password"} | {"use": SECRET}}` or `{"bearer": {"token"} | {"use": SECRET}}`.
    """

    call_id: str
    entry: int
    reference: str
    kind: CallKind
    arguments: Value
    deferred: tuple[Deferred, ...] = ()
    deadline_at: int = 0
    """When the kernel stops waiting, milliseconds UTC; never 0 in a command that is sent."""


class CancelCall(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t"):
    """Nobody waits for this call any more; stopping it is best effort."""

    call_id: str


class SendMessage(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t"):
    """Puts a message into another run's inbox, in the same transaction as this turn.

    A `Started` to a run id that exists already changes nothing.
    """

    run_id: str
    message: Message


class PublishEvent(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t"):
    """Publishes a structured CloudEvent (an object), stored in the same transaction as this turn."""

    event: Value


class Subscribe(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t", omit_defaults=True):
    """Listen for events. (run, `entry`, `filter`) is unique: a second one replaces the first.

    `topic` names the filter itself (`EventTopic` of the program); `key` is the canonical correlation key, or None
    while some key is still open: then each event of the topic is checked against `known` by name.
    `variables` are those of the run that the filter's predicate names.
    """

    entry: int
    filter: int
    topic: str
    key: str | None
    known: dict[str, Value] = {}
    variables: dict[str, Value] = {}


class Unsubscribe(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t"):
    """Ends every subscription of this task run."""

    entry: int


class Offer(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t", omit_defaults=True):
    """Offers work to tools by `event`, a structured CloudEvent, in the same transaction as this turn.

    The event is published, too. (`call_id`, tool) is unique: a second offer replaces the first. Those of `tools`
    that `pushed` names get the event sent; the others fetch it. Leases are counted from `token` on, so that a lease
    of an earlier offer of the same call is never as new as one of this offer.
    """

    call_id: str
    capability: str
    tools: tuple[str, ...]
    event: Value
    deadline_at: int
    pushed: tuple[str, ...] = ()
    token: int = 0


class Withdraw(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="t", omit_defaults=True):
    """Nobody shall begin the work of this call any more, or not this tool; what is offered goes, before anything is
    offered anew."""

    call_id: str
    tool: str = ""


Command = Invoke | CancelCall | SendMessage | PublishEvent | Subscribe | Unsubscribe | Offer | Withdraw
