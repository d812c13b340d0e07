"""The store over one schema of a PostgreSQL database: the `Store` contract, row by row, over `Connected`."""

from collections.abc import Collection, Mapping, Sequence

from penstock.store.notices import RegistryChanged, WorkOffered
from penstock.store.postgres import definitions, events, reads, work
from penstock.store.postgres.connected import Connected
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


class PostgresStore(Connected):
    """A `Store`. `url` is what `parse_address` takes.

    `before_statement` is awaited with the name of each statement of the writer before it runs; an exception from it
    counts as that statement's.
    """

    # Turns

    async def commit(self, turns: Sequence[RunCommit], start_keys: Sequence[StartKey] = ()) -> list[CommitOutcome]:
        created = {turn.run.id for turn in turns if turn.expected_version == 0}
        if stray := [key.run_id for key in start_keys if key.run_id not in created]:
            raise ValueError(f"start keys for runs that these turns do not create: {stray}")
        if not turns:
            return []
        return await self._open_writer.write_turns(turns, {key.run_id: key for key in start_keys})

    async def start_key(self, namespace: str, name: str, key: str) -> StartKey | None:
        return await self._read(lambda s: reads.start_key(s, namespace, name, key))

    async def load_run(self, run_id: str) -> StoredRun | None:
        return await self._read(lambda s: reads.load_run(s, run_id))

    async def load_values(self, run_id: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        return await self._read(lambda s: reads.load_values(s, run_id, digests))

    async def due_runs(self, until: int, limit: int) -> list[tuple[str, int]]:
        return await self._read(lambda s: reads.due_runs(s, until, limit, self._members.held))

    async def next_due_at(self, after: int) -> int | None:
        return await self._read(lambda s: reads.next_due_at(s, after, self._members.held))

    async def calling_runs(self, after: str, limit: int, partitions: Collection[int] | None = None) -> list[str]:
        among = self._members.held if partitions is None else partitions
        return await self._read(lambda s: reads.calling_runs(s, after, limit, among))

    async def inbox(self, after: int, limit: int) -> list[InboxRow]:
        return await self._read(lambda s: reads.inbox(s, after, limit, self._members.held))

    async def inbox_rows(self, seqs: Sequence[int]) -> list[InboxRow]:
        return await self._read(lambda s: reads.inbox_rows(s, seqs))

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
        return await self._write(lambda s: events.put_messages(s, messages), lambda rows: rows)

    async def discard_inbox(self, seqs: Sequence[int]) -> int:
        return await self._write(lambda s: s.execute("delete_inbox_of", list(seqs), sorted(s.held)))

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
        filters = {
            "status": status,
            "namespace": namespace,
            "name": name,
            "since": since,
            "until": until,
            "limit": limit,
        }
        return await self._read(lambda s: reads.list_runs(s, labels or {}, id_prefix or "", before, filters))

    async def journal(self, run_id: str, after: int, limit: int) -> list[JournalRow]:
        return await self._read(lambda s: reads.journal(s, run_id, after, limit))

    async def journal_tail(self, run_id: str, before: int, limit: int) -> list[JournalRow]:
        return await self._read(lambda s: reads.journal_tail(s, run_id, before, limit))

    async def checkpoint(self, run_id: str, seq: int) -> tuple[int, bytes] | None:
        return await self._read(lambda s: reads.checkpoint(s, run_id, seq))

    async def delete_runs(self, run_ids: Sequence[str]) -> int:
        return await self._write(lambda s: definitions.delete_runs(s, run_ids))

    async def ended_runs(
        self, namespace: str, name: str, *, before: int, keep: int, after: tuple[int, str] = (0, ""), limit: int
    ) -> list[tuple[int, str]]:
        return await self._read(lambda s: reads.ended_runs(s, (namespace, name), before, keep, after, limit))

    async def ended_workflows(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        return await self._read(lambda s: reads.ended_workflows(s, after, limit))

    async def release_space(self) -> bool:
        return False  # autovacuum minds it

    # Events

    async def put_events(self, new: Sequence[EventRow]) -> list[EventRow | None]:
        return await self._write(lambda s: events.insert_events(s, new), lambda rows: filter(None, rows))

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[InboxRow]:
        return await self._write(lambda s: events.deliver(s, deliveries, s.held))

    async def events_after(self, seq: int, limit: int) -> list[EventRow]:
        return await self._read(lambda s: reads.events_after(s, seq, limit))

    async def routed_until(self) -> int:
        return await self._read(lambda s: reads.routed_until(s, self._members.held))

    async def keep_routed(self, seq: int, partitions: Collection[int] | None = None) -> None:
        asked = None if partitions is None else frozenset(partitions)
        await self._write(lambda s: events.keep_routed(s, seq, s.held if asked is None else s.held & asked))

    async def events_since(
        self,
        *,
        now: int,
        type: str | None,  # noqa: A002 - CloudEvents' word
        after_seq: int,
        limit: int,
    ) -> list[EventRow]:
        return await self._read(lambda s: reads.events_since(s, now, type, after_seq, limit))

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
        filters = {
            "type": type,
            "source": source,
            "subject": subject,
            "run": run,
            "beyond": beyond,
            "limit": limit,
        }
        return await self._read(lambda s: reads.list_events(s, filters))

    async def event(self, source: str, event_id: str) -> EventRow | None:
        return await self._read(lambda s: reads.event(s, source, event_id))

    async def delivered_to(self, event_seq: int, limit: int) -> list[str]:
        return await self._read(lambda s: reads.delivered_to(s, event_seq, limit))

    async def expire_events(self, now: int, limit: int) -> int:
        return await self._write(lambda s: events.expire_events(s, now, limit))

    async def subscriptions(self, lookups: Sequence[tuple[str, str]]) -> list[Subscription]:
        return await self._read(lambda s: reads.subscriptions(s, lookups, self._members.held))

    async def subscriptions_of(self, run_id: str) -> list[Subscription]:
        return await self._read(lambda s: reads.subscriptions_of(s, run_id))

    async def subscriptions_to(self, topic: str, *, key: str | None = None, limit: int) -> list[Subscription]:
        return await self._read(lambda s: reads.subscriptions_to(s, topic, key, limit))

    async def subscription_topics(self) -> list[str]:
        return await self._read(reads.subscription_topics)

    # Work

    async def lease_work(self, tool: str, *, now: int, until: int, holder: str, limit: int) -> list[WorkRow]:
        return await self._write(lambda s: work.lease_work(s, tool, now, until, holder, limit))

    async def next_work_at(self, tool: str) -> int | None:
        return await self._read(lambda s: work.next_work_at(s, tool))

    async def renew_work(self, call_id: str, tool: str, token: int, until: int) -> bool:
        return await self._write(lambda s: work.renew_work(s, call_id, tool, token, until))

    async def return_work(self, call_id: str, tool: str, token: int, *, due_at: int | None = None) -> bool:
        return await self._write(
            lambda s: work.return_work(s, call_id, tool, token, due_at), lambda done: _offered(done, tool)
        )

    async def push_due(self, until: int, limit: int) -> list[WorkRow]:
        return await self._read(lambda s: work.push_due(s, until, limit, self._members.held))

    async def next_push_at(self) -> int | None:
        return await self._read(lambda s: work.next_push_at(s, self._members.held))

    async def push_result(
        self, call_id: str, tool: str, *, state: WorkState, attempts: int, due_at: int, reason: str
    ) -> bool:
        return await self._write(lambda s: work.push_result(s, call_id, tool, state, attempts, due_at, reason))

    async def list_work(
        self,
        *,
        tool: str | None = None,
        state: WorkState | None = None,
        after: tuple[int, str, str] | None = None,
        limit: int,
    ) -> list[WorkRow]:
        return await self._read(lambda s: work.list_work(s, tool, state, after, limit))

    async def redeliver(self, *, tool: str, call_id: str | None = None) -> int:
        return await self._write(lambda s: work.redeliver(s, tool, call_id), lambda count: _offered(count > 0, tool))

    async def count_work(self) -> dict[tuple[str, WorkState], int]:
        return await self._read(work.count_work)

    # Definitions

    async def put_workflow(self, workflow: StoredWorkflow) -> WorkflowPut:
        return await self._write(lambda s: definitions.put_workflow(s, workflow))

    async def get_workflow(self, namespace: str, name: str, version: str) -> StoredWorkflow | None:
        return await self._read(lambda s: reads.get_workflow(s, "get_workflow", (namespace, name, version)))

    async def workflow_versions(self, namespace: str, name: str) -> list[StoredWorkflow]:
        return await self._read(lambda s: reads.workflow_versions(s, namespace, name))

    async def list_workflows(
        self, *, namespace: str | None, after: tuple[str, str, str] | None, limit: int
    ) -> list[StoredWorkflow]:
        return await self._read(lambda s: reads.list_workflows(s, namespace, after, limit))

    async def delete_workflow(self, namespace: str, name: str, version: str) -> bool:
        return await self._write(lambda s: definitions.delete_workflow(s, namespace, name, version))

    async def get_workflow_for_runs(self, namespace: str, name: str, version: str) -> StoredWorkflow | None:
        identity = (namespace, name, version)
        return await self._read(lambda s: reads.get_workflow(s, "get_workflow_for_runs", identity))

    # Tools and secrets

    async def put_tool(self, tool: Tool) -> None:
        await self._write(lambda s: definitions.put_tool(s, tool), _changed_tools)

    async def list_tools(self) -> list[Tool]:
        return await self._read(reads.list_tools)

    async def delete_tool(self, name: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_tool", name), _changed_tools)

    async def put_secret(self, name: str, sealed: bytes) -> None:
        await self._write(lambda s: definitions.put_secret(s, name, sealed), _changed_secrets)

    async def get_secrets(self) -> dict[str, bytes]:
        return await self._read(reads.get_secrets)

    async def delete_secret(self, name: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_secret", name), _changed_secrets)

    async def put_token(self, token: ApiToken) -> None:
        await self._write(lambda s: definitions.put_token(s, token), _changed_tokens)

    async def list_tokens(self) -> list[ApiToken]:
        return await self._read(reads.list_tokens)

    async def touch_tokens(self, uses: Mapping[str, int]) -> None:
        await self._write(lambda s: definitions.touch_tokens(s, uses))

    async def delete_token(self, token_id: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_token", token_id), _changed_tokens)


def _changed_tools(_: object) -> tuple[RegistryChanged]:
    return (RegistryChanged("tools"),)


def _changed_secrets(_: object) -> tuple[RegistryChanged]:
    return (RegistryChanged("secrets"),)


def _changed_tokens(_: object) -> tuple[RegistryChanged]:
    return (RegistryChanged("tokens"),)


def _offered(done: bool, tool: str) -> tuple[WorkOffered, ...]:
    return (WorkOffered((tool,)),) if done else ()
