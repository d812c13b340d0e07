"""The store over one SQLite file, or over memory: the `Store` contract put together from writer and readers.

Invariant: every write goes through the writer's queue, and its call returns only after the COMMIT.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from penstock.errors import InfrastructureError
from penstock.model.limits import STORE_READERS
from penstock.store.alone import Alone
from penstock.store.counters import StoreCounters, StoreStatistics
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
from penstock.store.sqlite import definitions, events, reads, space, turns, work
from penstock.store.sqlite.connection import connect_reader, connect_writer, failure, prepare_file
from penstock.store.sqlite.lock import FileLock
from penstock.store.sqlite.mapping import as_json
from penstock.store.sqlite.migrate import load_migrations, migrate
from penstock.store.sqlite.readers import ReaderPool, Readers, ReadsThroughWriter
from penstock.store.sqlite.session import BeforeStatement, Session
from penstock.store.sqlite.writer import Writer
from penstock.store.statements import load_statements

T = TypeVar("T")


class SqliteStore(Alone):
    """A `Store`. `path` None keeps everything in memory until `close`.

    `before_statement` is called with the name of each statement of the writer before it runs; an exception from
    it counts as that statement's.
    """

    def __init__(self, path: Path | None, *, before_statement: BeforeStatement | None = None) -> None:
        self._path = path
        self._place = str(path) if path else "in memory"
        self._before_statement = before_statement
        self._statements = load_statements("penstock.store.sqlite", "statements.sql")
        self._counters = StoreCounters()
        self._lock = FileLock(path) if path else None
        self._session: Session | None = None
        self._writer: Writer | None = None
        self._readers: Readers | None = None

    @property
    def exclusive(self) -> bool:
        return True

    async def open(self) -> None:
        if self._writer is not None:
            raise InfrastructureError(f"the database {self._place} is open already")
        self._session, readers = await asyncio.to_thread(self._connect)
        self._writer = Writer(self._session, self._counters, self._place)
        self._readers = ReaderPool(readers, self._place) if readers else ReadsThroughWriter(self._writer)

    async def close(self) -> None:
        if self._writer is None or self._readers is None or self._session is None:
            return
        await self._writer.close()
        await self._readers.close()
        self._writer = self._readers = None
        await asyncio.to_thread(self._session.close)  # writes the WAL back into the file
        if self._lock:
            self._lock.release()

    def statistics(self) -> StoreStatistics:
        return self._counters.snapshot(self._writer.queue_length if self._writer else 0)

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
        return await self._read(lambda s: reads.due_runs(s, until, limit))

    async def next_due_at(self, after: int) -> int | None:
        return await self._read(lambda s: reads.next_due_at(s, after))

    async def calling_runs(self, after: str, limit: int, partitions: Collection[int] | None = None) -> list[str]:
        return await self._read(lambda s: reads.calling_runs(s, after, limit))

    async def inbox(self, after: int, limit: int) -> list[InboxRow]:
        return await self._read(lambda s: reads.inbox(s, after, limit))

    async def inbox_rows(self, seqs: Sequence[int]) -> list[InboxRow]:
        return await self._read(lambda s: reads.inbox_rows(s, seqs))

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[InboxRow]:
        return await self._write(lambda s: turns.put_messages(s, messages))

    async def discard_inbox(self, seqs: Sequence[int]) -> int:
        return await self._write(lambda s: s.execute("delete_inbox", (as_json(list(seqs)),)).rowcount)

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
            "before": before,
            "limit": limit,
        }
        return await self._read(lambda s: reads.list_runs(s, labels or {}, id_prefix or "", filters))

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
        if not await self._read(space.much_is_free):
            return False
        return await self._write(space.release)

    # Events

    async def put_events(self, new: Sequence[EventRow]) -> list[EventRow | None]:
        return await self._write(lambda s: events.insert_events(s, new))

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[InboxRow]:
        return await self._write(lambda s: events.deliver(s, deliveries))

    async def events_after(self, seq: int, limit: int) -> list[EventRow]:
        return await self._read(lambda s: reads.events_after(s, seq, limit))

    async def routed_until(self) -> int:
        return await self._read(reads.routed_until)

    async def keep_routed(self, seq: int, partitions: Collection[int] | None = None) -> None:
        await self._write(lambda s: events.keep_routed(s, seq))

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
        return await self._read(lambda s: reads.subscriptions(s, lookups))

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
        return await self._write(lambda s: work.return_work(s, call_id, tool, token, due_at))

    async def push_due(self, until: int, limit: int) -> list[WorkRow]:
        return await self._read(lambda s: work.push_due(s, until, limit))

    async def next_push_at(self) -> int | None:
        return await self._read(work.next_push_at)

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
        return await self._write(lambda s: work.redeliver(s, tool, call_id))

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
        await self._write(lambda s: definitions.put_tool(s, tool))

    async def list_tools(self) -> list[Tool]:
        return await self._read(reads.list_tools)

    async def delete_tool(self, name: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_tool", name))

    async def put_secret(self, name: str, sealed: bytes) -> None:
        await self._write(lambda s: definitions.put_secret(s, name, sealed))

    async def get_secrets(self) -> dict[str, bytes]:
        return await self._read(reads.get_secrets)

    async def delete_secret(self, name: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_secret", name))

    async def put_token(self, token: ApiToken) -> None:
        await self._write(lambda s: definitions.put_token(s, token))

    async def list_tokens(self) -> list[ApiToken]:
        return await self._read(reads.list_tokens)

    async def touch_tokens(self, uses: Mapping[str, int]) -> None:
        await self._write(lambda s: definitions.touch_tokens(s, uses))

    async def delete_token(self, token_id: str) -> bool:
        return await self._write(lambda s: definitions.delete_named(s, "delete_token", token_id))

    # Connections

    def _connect(self) -> tuple[Session, list[Session]]:
        """The writing session and the reading ones (none for memory). Gives the lock back if anything fails."""
        if self._path is not None and self._lock is not None:
            prepare_file(self._path)
            self._lock.acquire()
        try:
            return self._connect_all()
        except (sqlite3.Error, InfrastructureError) as error:
            if self._lock is not None:
                self._lock.release()
            if isinstance(error, InfrastructureError):
                raise
            raise failure(error, self._place) from error

    def _connect_all(self) -> tuple[Session, list[Session]]:
        connection = connect_writer(self._path)
        try:
            migrate(connection, load_migrations(), self._place)
            session = Session(connection, self._statements, self._counters, self._before_statement)
            if self._path is None:
                return session, []
            connections = [connect_reader(self._path) for _ in range(STORE_READERS)]
            return session, [Session(c, self._statements, self._counters) for c in connections]
        except BaseException:
            connection.close()
            raise

    @property
    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise InfrastructureError(f"the database {self._place} is not open")
        return self._writer

    async def _write(self, apply: Callable[[Session], T]) -> T:
        return await self._open_writer.write(apply)

    async def _read(self, query: Callable[[Session], T]) -> T:
        if self._readers is None:
            raise InfrastructureError(f"the database {self._place} is not open")
        return await self._readers.read(query)
