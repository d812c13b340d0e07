"""What a store keeps, as plain immutable rows. Bytes are made by the kernel's codec; the store never looks inside."""

from typing import Literal, TypeAlias

import msgspec


class JournalRow(msgspec.Struct, frozen=True, gc=False):
    """One applied message of a run. `seq` is the state's version after it; `body` holds message, answers and facts."""

    seq: int
    at: int
    body: bytes


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """A listener: (run_id, entry, filter) is unique. `key` is "" for a filter without correlation keys and "*"
    while some key is open; `body` holds what is needed to check an event against it."""

    run_id: str
    entry: int
    filter: int
    topic: str
    key: str
    body: bytes = b""


class InboxRow(msgspec.Struct, frozen=True, gc=False):
    """A message that waits for a run. `seq` is given by the store and orders the messages of a run."""

    seq: int
    run_id: str
    body: bytes


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """A CloudEvent. (`source`, `id`) is unique. `run_id` is the run that published it, "" for one from outside."""

    source: str
    id: str
    type: str
    subject: str
    at: int
    expires_at: int
    body: bytes
    run_id: str = ""
    seq: int = 0
    """Given by the store: the order of ingestion."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to a run that listens; `body` is the message for the run's inbox."""

    event_seq: int
    run_id: str
    body: bytes


WorkKind: TypeAlias = Literal["push", "pull"]
WorkState: TypeAlias = Literal["waiting", "leased", "sent", "dead"]
"""`leased` is for pulled work alone, `sent` for pushed."""


class WorkRow(msgspec.Struct, frozen=True, gc=False):
    """A call of a run, offered to a tool; (`call_id`, `tool`) is unique, and a call belongs to one run.

    Instants are milliseconds UTC of the callers' clocks. `due_at` says when it may be leased or pushed next; of leased
    work, when the lease ends. `token` grows with each lease. `attempts` are leases, or pushes that were tried.
    """

    call_id: str
    tool: str
    run_id: str
    capability: str
    kind: WorkKind
    state: WorkState
    token: int
    attempts: int
    due_at: int
    created_at: int
    deadline_at: int
    holder: str
    """Who has leased it, "" when nobody has."""
    reason: str
    """Why the last attempt failed, for people."""
    event: bytes
    """What the tool gets."""


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """What lists show of a run, and what the runtime finds it by. Instants are milliseconds UTC.

    Fixed when the run is created, whatever later commits say: `namespace`, `name`, `version`, `created_at`, `labels`,
    `parent_id`, `retry_of`. `ended_at` is set exactly when the status is an end.
    """

    id: str
    namespace: str
    name: str
    version: str
    status: str
    created_at: int
    updated_at: int
    ended_at: int = 0
    next_at: int | None = None
    calling: bool = False
    """True while calls must be dispatched again after a crash."""
    labels: dict[str, str] = {}
    parent_id: str = ""
    retry_of: str = ""
    fault_title: str = ""


class RunCommit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that one turn of one run writes; all of it or nothing.

    `expected_version` 0 creates the run; it is stale if the run exists or has another version.
    `values` are large values by digest, kept once per run. `consumed` inbox rows are deleted. `messages` are put
    into the inboxes of other runs. `unsubscribe` names entries whose subscriptions go, before `subscribe` adds or
    replaces; an ended run loses those that are left. So with work: `withdraw` names calls whose work goes, whoever has
    leased it, and `withdraw_tools` (call id, tool) where other tools go on, before `offers` add or replace; what
    replaces has no lower token. An ended run loses what is left.
    """

    run: RunRow
    expected_version: int
    version: int
    state: bytes
    journal: tuple[JournalRow, ...]
    values: dict[bytes, bytes] = {}
    consumed: tuple[int, ...] = ()
    messages: tuple[tuple[str, bytes], ...] = ()
    events: tuple[EventRow, ...] = ()
    subscribe: tuple[Subscription, ...] = ()
    unsubscribe: tuple[int, ...] = ()
    offers: tuple[WorkRow, ...] = ()
    withdraw: tuple[str, ...] = ()
    withdraw_tools: tuple[tuple[str, str], ...] = ()
    checkpoint: bool = False
    """Keep this state for time travel, too."""
    unowned: bool = False
    """Creates a run that has not begun, for whoever holds its partition: any node may write it."""


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The turn is on disk. `inbox` are the rows made of `messages`, `events` those that were new."""

    inbox: tuple[InboxRow, ...] = ()
    events: tuple[EventRow, ...] = ()


class Stale(msgspec.Struct, frozen=True, gc=False):
    """The run was not in the expected version: nothing of this turn was written."""


class NotOwned(msgspec.Struct, frozen=True, gc=False):
    """This node does not hold the partition of the run: nothing of this turn was written, nor will be."""


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """The store refused this turn alone (for example, a row that it cannot hold): nothing of it was written."""

    reason: str


CommitOutcome = Committed | Stale | NotOwned | Rejected


class StoredRun(msgspec.Struct, frozen=True, gc=False):
    run: RunRow
    version: int
    state: bytes


class StoredWorkflow(msgspec.Struct, frozen=True, gc=False):
    """`definition` is canonical JSON, `resources` the pinned external documents, `metadata` free for notations."""

    namespace: str
    name: str
    version: str
    created_at: int
    definition: bytes
    content_hash: bytes
    resources: bytes = b""
    metadata: bytes = b""
    source_text: str = ""
    """The text that was deployed, as the author wrote it."""


class WorkflowPut(msgspec.Struct, frozen=True, gc=False):
    """What storing a definition came to: what is stored now, and whether this call made it so (the first of equal ones,
    or the one that shows a deleted version again)."""

    workflow: StoredWorkflow
    created: bool


class Tool(msgspec.Struct, frozen=True, gc=False):
    """A registered tool. `body` is its definition as canonical JSON."""

    name: str
    capability: str
    created_at: int
    updated_at: int
    body: bytes


class ApiToken(msgspec.Struct, frozen=True, gc=False):
    """An API token as the store keeps it: the SHA-256 of its text, and what it may do (`penstock.runtime.tokens`).

    `scopes` and `namespaces` are names with blanks between them; `*` is all namespaces. Instants are 0 for never.
    """

    id: str
    name: str
    digest: bytes
    scopes: str
    namespaces: str
    created_at: int
    expires_at: int = 0
    last_used_at: int = 0
    revoked_at: int = 0


class StartKey(msgspec.Struct, frozen=True, gc=False):
    """Makes a start idempotent: the same `key` of one workflow with the same `body_hash` is the same run."""

    namespace: str
    name: str
    key: str
    body_hash: bytes
    run_id: str
