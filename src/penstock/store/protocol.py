"""What every store offers. The same contract suite runs over each of them (`tests/store/contract.py`).

Every write is one transaction and is on disk when the call returns. Writes that are asked for while another
commit is in flight share the next transaction (group commit); one that fails does not fail the others. If the
outcome of a COMMIT is unknown the call raises `InfrastructureError`, and whoever holds a cached state reads it again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from penstock.store.counters import StoreStatistics
from penstock.store.notices import Heed, Notice
from penstock.store.rows import (
    ApiToken,
    CommitOutcome,
    Delivery,
    EventRow,
    InboxRow,
    JournalRow,
    RunCommit,
    RunRow,
    StartKey,
    StoredRun,
    StoredWorkflow,
    Subscription,
    Tool,
    WorkflowPut,
    WorkRow,
    WorkState,
)
from penstock.store.shares import Membership, NodeRow, Shares


class Store(Protocol):
    @property
    def exclusive(self) -> bool:
        """Whether nobody else can change the store while this one is open, so that what was read may be kept."""
        ...

    async def open(self) -> None:
        """Opens and migrates. Raises `StoreInUse` if another engine has a store that cannot be shared,
        `InfrastructureError` if its schema is newer than this Penstock knows."""
        ...

    async def close(self) -> None:
        """Finishes the writes that wait, leaves the other nodes, then lets the store go. Harmless when not open."""
        ...

    def statistics(self) -> StoreStatistics:
        """Totals since the store was opened, for metrics."""
        ...

    # Nodes (see `penstock.store.shares`)
    async def join(self, membership: Membership, heed: Heed) -> None:
        """Makes this store a member, which may hold partitions; `heed` is called with what other members tell. To be
        called once, after `open`; without it everything but turns of runs can be written."""
        ...

    async def renew(self) -> Shares:
        """Makes the lease last `lease_ms` from now, expels members whose time is over, and takes free partitions up
        to an even part. A member that was expelled itself joins anew and begins without partitions.

        Raises `InfrastructureError` when the store cannot be reached; what is held then stays held until the store
        says otherwise."""
        ...

    async def release(self, partitions: Collection[int]) -> None:
        """Gives partitions to whoever takes them next, after the writes that were asked for before."""
        ...

    async def nodes(self) -> list[NodeRow]:
        """The members, in the order in which they joined; none for a store that cannot be shared."""
        ...

    def tell(self, notice: Notice) -> None:
        """Tells the other members, soon, if they can be reached. Commits, `send`, `deliver`, `put_events`,
        `put_tool`, `put_secret`, `put_token`, their deletions, `return_work`, `redeliver` and `release` tell what they
        did by themselves."""
        ...

    # Turns
    async def commit(self, turns: Sequence[RunCommit], start_keys: Sequence[StartKey] = ()) -> list[CommitOutcome]:
        """Commits many runs' turns in one transaction; outcome by outcome, in order. A stale or rejected turn drops
        out alone, and so does one for a run whose partition this node does not hold (`NotOwned`), unless it is
        `unowned` and creates the run. A start key whose (namespace, name, key) exists makes the turn that creates
        its run stale."""
        ...

    async def start_key(self, namespace: str, name: str, key: str) -> StartKey | None: ...

    async def load_run(self, run_id: str) -> StoredRun | None: ...

    async def load_values(self, run_id: str, digests: Sequence[bytes]) -> dict[bytes, bytes]: ...

    async def due_runs(self, until: int, limit: int) -> list[tuple[str, int]]:
        """(run id, next_at) of runs with `next_at <= until` in the partitions that are held, the earliest first."""
        ...

    async def next_due_at(self, after: int) -> int | None:
        """The earliest `next_at` later than `after`, of runs in the partitions that are held."""
        ...

    async def calling_runs(self, after: str, limit: int, partitions: Collection[int] | None = None) -> list[str]:
        """Ids (above `after`, ascending) of runs with `calling`, in these partitions or in all that are held."""
        ...

    async def inbox(self, after: int, limit: int) -> list[InboxRow]:
        """Messages with `seq > after` for runs in the partitions that are held, ascending. With several members a
        lower number may appear after a higher one was read."""
        ...

    async def inbox_rows(self, seqs: Sequence[int]) -> list[InboxRow]:
        """Those of these messages that still wait, whoever holds their runs, ascending."""
        ...

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
        """Puts messages (run id, body) into inboxes, of anybody's runs."""
        ...

    async def discard_inbox(self, seqs: Sequence[int]) -> int:
        """Deletes messages that mean nothing to their runs; returns how many. Those for runs whose partition this node
        does not hold are left alone: their node may judge otherwise."""
        ...

    # Reading runs
    async def list_runs(
        self,
        *,
        status: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        since: int | None = None,
        until: int | None = None,
        before: str | None = None,
        id_prefix: str | None = None,
        limit: int,
    ) -> list[RunRow]:
        """Newest first (by id, which is time-ordered); `before` is the id to continue below.

        `since` (inclusive) and `until` (exclusive) are milliseconds UTC. They bound the ids too, whose time a run's
        `created_at` is, so that runs of other times are not read.
        """
        ...

    async def journal(self, run_id: str, after: int, limit: int) -> list[JournalRow]:
        """Rows with `seq > after`, ascending."""
        ...

    async def journal_tail(self, run_id: str, before: int, limit: int) -> list[JournalRow]:
        """Rows with `seq < before`, descending."""
        ...

    async def checkpoint(self, run_id: str, seq: int) -> tuple[int, bytes] | None:
        """The newest kept state with version <= `seq`."""
        ...

    async def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Deletes ended runs with all that belongs to them; returns how many. Live ones are left alone."""
        ...

    async def ended_runs(
        self, namespace: str, name: str, *, before: int, keep: int, after: tuple[int, str] = (0, ""), limit: int
    ) -> list[tuple[int, str]]:
        """(ended_at, id) of runs of a workflow that ended before `before` and are not among its `keep` that ended
        last; in this order, above `after`. A run whose parent has not ended is left out."""
        ...

    async def ended_workflows(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """(namespace, name) of workflows that have ended runs, above `after`, ascending; deleted ones, too."""
        ...

    async def release_space(self) -> bool:
        """Gives some disk space of deleted rows back if much lies idle, in a step of a few milliseconds; True when
        there is more to give. A store that minds its space itself answers False."""
        ...

    # Events
    async def put_events(self, new: Sequence[EventRow]) -> list[EventRow | None]:
        """Stores events; None where (source, id) is there already."""
        ...

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[InboxRow]:
        """Puts messages into inboxes, in this order: one for each event and run, for ever, the first if several name
        the same two. Those for runs whose partition this node does not hold are left out."""
        ...

    async def events_after(self, seq: int, limit: int) -> list[EventRow]:
        """Events beyond `seq` in the order of ingestion, whatever their time to live. None comes in below one that
        was read: numbers are given in the order of commits."""
        ...

    async def routed_until(self) -> int:
        """Up to which event all were brought to the listeners in the partitions that are held; without any, the
        newest event."""
        ...

    async def keep_routed(self, seq: int, partitions: Collection[int] | None = None) -> None:
        """Every event up to this one was brought to the listeners in these partitions, or in all that are held.
        Never goes back, and says nothing of partitions that are not held."""
        ...

    async def events_since(
        self,
        *,
        now: int,
        type: str | None,  # noqa: A002 - CloudEvents' word
        after_seq: int,
        limit: int,
    ) -> list[EventRow]:
        """Events whose time to live has not ended, in order of ingestion."""
        ...

    async def list_events(
        self,
        *,
        type: str | None = None,  # noqa: A002 - CloudEvents' word
        source: str | None = None,
        subject: str | None = None,
        run: str | None = None,
        beyond: int | None = None,
        limit: int,
    ) -> list[EventRow]:
        """Newest first; those of a `run` (published by it or delivered to it) in order of ingestion. `beyond` is the
        seq to continue beyond."""
        ...

    async def event(self, source: str, event_id: str) -> EventRow | None:
        """The event with that name."""
        ...

    async def delivered_to(self, event_seq: int, limit: int) -> list[str]:
        """The runs that an event was delivered to, ascending."""
        ...

    async def expire_events(self, now: int, limit: int) -> int:
        """Deletes events whose time to live ended by `now` and that were routed to every partition; returns how
        many."""
        ...

    async def subscriptions(self, lookups: Sequence[tuple[str, str]]) -> list[Subscription]:
        """Those with (topic, key) in `lookups`, of runs in the partitions that are held; an index look-up each. In
        the order of `lookups`, then by run, entry and filter."""
        ...

    async def subscriptions_of(self, run_id: str) -> list[Subscription]:
        """Those of a run, by entry and filter."""
        ...

    async def subscriptions_to(self, topic: str, *, key: str | None = None, limit: int) -> list[Subscription]:
        """Those to a topic (with a key), whoever holds the runs; by key, run, entry and filter. For people who ask."""
        ...

    async def subscription_topics(self) -> list[str]:
        """Every topic that somebody listens to, whoever holds the runs."""
        ...

    # Work (see `WorkRow`); it is offered and withdrawn by turns
    async def lease_work(self, tool: str, *, now: int, until: int, holder: str, limit: int) -> list[WorkRow]:
        """Gives up to `limit` pieces of pulled work to `holder` until an instant: those whose lease ended, then those
        that wait, each that have been due the longest first. They come as they are then: leased, with a new token, one
        attempt more. No two callers get the same piece, whichever nodes they ask, and whoever holds the run."""
        ...

    async def next_work_at(self, tool: str) -> int | None:
        """When the first piece of pulled work, waiting or leased, can be leased; in the past if one can be now."""
        ...

    async def renew_work(self, call_id: str, tool: str, token: int, until: int) -> bool:
        """Makes the lease with this token end at `until`. False, and no change, if it is no longer the last one; one
        that ended, but was not followed by another, goes on."""
        ...

    async def return_work(self, call_id: str, tool: str, token: int, *, due_at: int | None = None) -> bool:
        """Ends the lease with this token: the work waits again, at its old place or from `due_at` on. False, and no
        change, if it is no longer the last lease."""
        ...

    async def push_due(self, until: int, limit: int) -> list[WorkRow]:
        """Work to be pushed with `due_at <= until`, of runs in the partitions that are held, the longest due first."""
        ...

    async def next_push_at(self) -> int | None:
        """The earliest `due_at` of work to be pushed, of runs in the partitions that are held."""
        ...

    async def push_result(
        self, call_id: str, tool: str, *, state: WorkState, attempts: int, due_at: int, reason: str
    ) -> bool:
        """How attempt number `attempts` went: `sent`, `waiting` for the next one, `dead`. False, and no change, if the
        work does not wait for that attempt: it was withdrawn, or the attempt was told already."""
        ...

    async def list_work(
        self,
        *,
        tool: str | None = None,
        state: WorkState | None = None,
        after: tuple[int, str, str] | None = None,
        limit: int,
    ) -> list[WorkRow]:
        """Oldest first, by (created_at, call_id, tool); `after` is the one to continue behind. Dead letters have an
        index of their own; any other filter looks at all work on its way."""
        ...

    async def redeliver(self, *, tool: str, call_id: str | None = None) -> int:
        """Makes dead work of a tool (of one call, or all of it) wait again, due at once and without attempts; returns
        how much."""
        ...

    async def count_work(self) -> dict[tuple[str, WorkState], int]:
        """How much work each tool has in each state; none where there is none. Reads an index of all work, not the work
        (a thousand pieces in 0.3 ms over SQLite, in up to 4 ms over PostgreSQL): for metrics, not for each request."""
        ...

    # Definitions
    async def put_workflow(self, workflow: StoredWorkflow) -> WorkflowPut:
        """Stores a definition unless its identity exists; returns what is stored. Of several calls at the same time
        with the same content exactly one is told that it created it."""
        ...

    async def get_workflow(self, namespace: str, name: str, version: str) -> StoredWorkflow | None: ...

    async def workflow_versions(self, namespace: str, name: str) -> list[StoredWorkflow]:
        """Every version, without order (semantic order is the caller's)."""
        ...

    async def list_workflows(
        self, *, namespace: str | None, after: tuple[str, str, str] | None, limit: int
    ) -> list[StoredWorkflow]:
        """Ordered by (namespace, name, version) as text."""
        ...

    async def delete_workflow(self, namespace: str, name: str, version: str) -> bool:
        """Hides a version from starts and lists. Live runs keep it: `get_workflow` of a run's identity still works
        through `get_workflow_for_runs`."""
        ...

    async def get_workflow_for_runs(self, namespace: str, name: str, version: str) -> StoredWorkflow | None:
        """Like `get_workflow`, deleted versions too."""
        ...

    # Tools and secrets
    async def put_tool(self, tool: Tool) -> None: ...

    async def list_tools(self) -> list[Tool]: ...

    async def delete_tool(self, name: str) -> bool: ...

    async def put_secret(self, name: str, sealed: bytes) -> None:
        """`sealed` is encrypted already; the store never sees a secret."""
        ...

    async def get_secrets(self) -> dict[str, bytes]: ...

    async def delete_secret(self, name: str) -> bool: ...

    async def put_token(self, token: ApiToken) -> None:
        """Stores a token, or changes what one may do: `digest`, `created_at` and `last_used_at` stay as they were, and
        what is revoked stays revoked since it first was."""
        ...

    async def list_tokens(self) -> list[ApiToken]:
        """Every token, revoked and expired ones too, by id."""
        ...

    async def touch_tokens(self, uses: Mapping[str, int]) -> None:
        """Notes when tokens (by id) were used; an earlier use than the one known changes nothing. Tells nobody."""
        ...

    async def delete_token(self, token_id: str) -> bool: ...
