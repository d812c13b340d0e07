"""The engine as servers, command lines and other programs use it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

from penstock.errors import CallerError, Conflict, InfrastructureError, NotFound, TooLarge
from penstock.events.validation import parse_structured
from penstock.kernel.ids import run_id as new_run_id
from penstock.kernel.messages import CancelRequested, Message, ResumeRequested, SuspendRequested
from penstock.kernel.state import RunState
from penstock.model import limits
from penstock.model.json_value import Json
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.clock import Clock, Ids, SystemClock, SystemIds
from penstock.runtime.edges import Edges
from penstock.runtime.event_rows import event_of, event_row
from penstock.runtime.live import Live
from penstock.runtime.logs import make_log
from penstock.runtime.membership import only_node
from penstock.runtime.metrics import Metrics
from penstock.runtime.opened import Opened
from penstock.runtime.parts import Parts
from penstock.runtime.pruning import Pruned, PruneWish
from penstock.runtime.resending import resent
from penstock.runtime.retrying import RetryPoint
from penstock.runtime.run_events import RunEvents, stream_of_run
from penstock.runtime.settings import Settings
from penstock.runtime.task_rows import TaskView
from penstock.runtime.tokens import Tokens
from penstock.runtime.views import (
    CheckResult,
    DeployResult,
    EventView,
    HistoryPage,
    RunView,
    StoredTool,
    run_view,
)
from penstock.runtime.work import Work
from penstock.store.protocol import Store
from penstock.store.rows import RunRow, StoredWorkflow, Tool
from penstock.store.shares import NodeRow
from penstock.tools.contract import ToolDefinition
from penstock.tools.functions import Functions, ToolFunction

_STOPPING: Final = "the engine is stopping"


class Engine:
    """An engine over one store. Use it as an async context manager: inside the block it works, at its end it drains.

    Every method answers from what is on disk, and returns after a change only when that is on disk. They raise
    `CallerError` (4xx) for the caller's mistakes and `InfrastructureError` when the same may be tried again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        store: Store | None = None,
        metrics: Metrics | None = None,
        log: structlog.stdlib.BoundLogger | None = None,
        functions: Functions | None = None,
        edges: Edges | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = metrics or Metrics()
        self._log = log or make_log(settings)
        self._functions = functions or Functions()
        self._ids = ids = ids or SystemIds()
        edges = edges or Edges()
        self._opened = Opened(settings, self.clock, ids, self.metrics, self._log, store, self._functions, edges)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Opens the store, takes up what was left behind, and starts to work."""
        await self._stack.enter_async_context(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes no more requests, finishes turns under way, gives calls a short grace, and closes the store."""
        await self._stack.aclose()

    @property
    def _parts(self) -> Parts:
        return self._opened.parts

    # Definitions

    async def check(
        self, document: str | bytes | dict[str, Json], *, notation: str | None = None, name: str = "document"
    ) -> CheckResult:
        """Everything that is to be said about a document; stores nothing."""
        return await self._parts.definitions.check(document, notation=notation, name=name)

    async def deploy(
        self,
        document: str | bytes | dict[str, Json],
        *,
        notation: str | None = None,
        source_text: str | None = None,
        allow: Callable[[str], None] | None = None,
    ) -> DeployResult:
        """Stores a workflow. Raises `Unprocessable` with diagnostics, `Conflict` for a version of other content.

        `allow` is asked with the namespace before anything is fetched or stored; what it raises ends the call.
        """
        result = await self._parts.definitions.deploy(document, notation=notation, source_text=source_text, allow=allow)
        if result.created:
            stored = result.stored
            self._log.info("workflow deployed", workflow=f"{stored.namespace}/{stored.name}:{stored.version}")
        return result

    async def get_workflow(self, namespace: str, name: str, version: str = "latest") -> StoredWorkflow:
        """Raises `NotFound`."""
        return await self._parts.definitions.get(namespace, name, version)

    async def list_workflows(
        self, *, namespace: str | None = None, after: tuple[str, str, str] | None = None, limit: int = 100
    ) -> list[StoredWorkflow]:
        """Ordered by (namespace, name, version) as text, after the one named."""
        return await self._parts.store.list_workflows(namespace=namespace, after=after, limit=limit)

    async def workflow_versions(self, namespace: str, name: str) -> list[StoredWorkflow]:
        """Every version, without order."""
        return await self._parts.store.workflow_versions(namespace, name)

    async def delete_workflow(self, namespace: str, name: str, version: str) -> None:
        """Hides a version; its runs go on. Raises `NotFound`."""
        await self._parts.definitions.delete(namespace, name, version)

    # Runs

    async def start_run(
        self,
        namespace: str,
        name: str,
        version: str = "latest",
        input: Json = None,  # noqa: A002 - the word of the API
        *,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        at: int | None = None,
    ) -> RunView:
        """A new run, or the one that an earlier start with the same key made. `at` (ms UTC) starts it later."""
        identity = WorkflowIdentity(namespace, name, version)
        return await self.get_run(await self.begin_run(identity, input, labels=labels, key=idempotency_key, at=at))

    async def begin_run(
        self,
        identity: WorkflowIdentity,
        input: Json,  # noqa: A002 - the word of the API
        *,
        labels: Mapping[str, str] | None = None,
        key: str | None = None,
        at: int | None = None,
    ) -> str:
        """As `start_run`, for those who need no more than the id."""
        return await self._parts.starting.start(identity, input, labels=dict(labels or {}), idempotency_key=key, at=at)

    async def run_namespace(self, run_id: str) -> str:
        """The namespace of the run's workflow. Raises `NotFound`."""
        return (await self._live(run_id)).run.namespace

    async def get_run(self, run_id: str) -> RunView:
        """The run with its last tasks. Raises `NotFound`."""
        live = await self._live(run_id)
        tasks = await self._parts.history.last_tasks(run_id, live.state.version)
        return run_view(live.run, live.state, self._with_reasons(live, tasks))

    async def wait_run(self, run_id: str, timeout_s: float) -> RunView:
        """The run when it has ended, or as it is after the time."""
        with self._parts.watching.run(run_id) as moved:
            try:
                async with asyncio.timeout(timeout_s):
                    while not (await self._live(run_id)).state.ended and not self._opened.closing:
                        await moved.wait()
                        moved.clear()
            except TimeoutError:
                pass
        return await self.get_run(run_id)

    async def run_end(self, run_id: str) -> RunState:
        """Waits for the end of the run; its last state.

        Raises `NotFound`, and `InfrastructureError` when the engine stops.
        """
        with self._parts.watching.end(run_id) as ending:
            live = await self._live(run_id)
            if live.state.ended:
                return live.state
            if self._opened.closing:
                raise InfrastructureError(_STOPPING)
            await asyncio.wait((ending,))
            if ending.cancelled():
                raise InfrastructureError(_STOPPING)
            return ending.result()

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
        limit: int = 100,
    ) -> list[RunRow]:
        """Newest first; `before` is the id to continue below."""
        return await self._parts.store.list_runs(
            status=status,
            namespace=namespace,
            name=name,
            labels=labels,
            since=since,
            until=until,
            before=before,
            id_prefix=id_prefix,
            limit=limit,
        )

    async def run_tasks(self, run_id: str, *, after: int = 0, limit: int = 100) -> list[TaskView]:
        """Task runs in the order of entry, from the one behind the first `after`. Raises `NotFound`."""
        live = await self._live(run_id)
        return list(self._with_reasons(live, tuple(await self._parts.history.tasks(run_id, after, limit))))

    async def history(self, run_id: str, after: int = 0, limit: int = 100) -> HistoryPage:
        """Lifecycle events in order after a position. Raises `NotFound`."""
        live = await self._live(run_id)
        return await self._parts.history.page(run_id, live.state.workflow, after, limit)

    async def why(self, run_id: str) -> dict[str, Json]:
        """What the run waits for, since when, until when, and who can end it. Raises `NotFound`."""
        return (await self._parts.run_questions.why(await self._live(run_id))).as_json(self._parts.secrets.mask)

    async def state_at(self, run_id: str, seq: int) -> Json:
        """The state after message `seq`; the newest for a higher one. Raises `NotFound`."""
        live = await self._live(run_id)
        return await self._parts.history.state_at(run_id, seq, live.state)

    async def stream(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, dict[str, Json]]]:
        """Lifecycle events with their positions: the history, then live; ends with the run. Raises `NotFound`."""
        with self._parts.watching.run(run_id) as moved:
            while True:
                moved.clear()
                live = await self._live(run_id)
                async for position, event in self._parts.history.events(run_id, live.state.workflow, after):
                    after = position
                    yield position, event
                if live.state.ended or self._opened.closing:
                    return
                await moved.wait()

    async def cancel(self, run_id: str, reason: str = "") -> RunView:
        """Ends the run. Raises `NotFound`, and `Conflict` when it has ended."""
        return await self._control(run_id, CancelRequested(at=0, reason=reason))

    async def suspend(self, run_id: str, reason: str = "") -> RunView:
        """Holds the run; what it waits for goes on. Raises `NotFound`, and `Conflict` when it has ended."""
        return await self._control(run_id, SuspendRequested(at=0, reason=reason))

    async def resume(self, run_id: str, reason: str = "") -> RunView:
        """Lets a held run go on. Raises `NotFound`, and `Conflict` when it has ended."""
        return await self._control(run_id, ResumeRequested(at=0))

    async def retry(self, run_id: str, from_reference: str | None = None) -> RunView:
        """A new run that begins before a top-level task of an ended run: the one named, or that in which it ended.

        Raises `NotFound`, `Conflict` for a run that has not ended, `Unprocessable` for another task.
        """
        live = await self._live(run_id)
        if not live.state.ended:
            raise Conflict(f"the run {run_id} is {live.state.status}; only ended runs can be retried")
        started = await self._parts.history.started(run_id)
        point = RetryPoint(started)
        async for recorded in self._parts.history.recorded(run_id):
            point.take(recorded)
        reference = from_reference if from_reference is not None else point.default(live.state)
        resume = None if reference is None else point.before(reference, run_id)
        return await self.get_run(await self._parts.starting.retry(live.run, started, resume))

    async def delete_run(self, run_id: str) -> None:
        """Deletes an ended run with all that belongs to it. Raises `NotFound`, `Conflict` when it has not ended."""
        live = await self._live(run_id)
        if not live.state.ended:
            raise Conflict(f"the run {run_id} is {live.state.status}; cancel it first")
        await self._parts.store.delete_runs([run_id])

    async def delete_runs(self, run_ids: list[str]) -> int:
        """Deletes those that have ended; returns how many."""
        return await self._parts.store.delete_runs(run_ids)

    async def prune(self, wish: PruneWish) -> Pruned:
        """Deletes old ended runs with all that belongs to them, or counts them: a bounded part for each call."""
        return await self._parts.pruning.prune(wish)

    # Nodes

    async def nodes(self) -> list[NodeRow]:
        """The nodes that share the store, in the order in which they joined; this one, for a store of its own."""
        if self._parts.store.exclusive:
            return [only_node(self.settings, self._opened.opened_at, self.clock.now_ms())]
        return await self._parts.store.nodes()

    def check_ready(self) -> None:
        """Raises `InfrastructureError` while this engine cannot say that it still holds its runs."""
        self._opened.check_ready()

    # Events

    async def publish(self, events: list[dict[str, Json]]) -> int:
        """Takes events in, each (source, id) once; returns how many were new, when they are on disk."""
        if len(events) > limits.MAX_EVENTS_PER_BATCH:
            raise TooLarge(f"a batch has at most {limits.MAX_EVENTS_PER_BATCH} events")
        now = self.clock.now_ms()
        rows = [event_row(parse_structured(event), now) for event in events]
        if any(len(row.body) > limits.MAX_VALUE_BYTES for row in rows):
            raise TooLarge(f"an event has at most {limits.MAX_VALUE_BYTES} bytes")
        try:
            stored = [row for row in await self._parts.store.put_events(rows) if row is not None]
        except InfrastructureError:
            self._parts.router.look_again()  # they may be on disk all the same
            raise
        self.metrics.events_in.inc(len(stored))
        self._parts.router.notice(stored)
        await self._parts.work.heard(events)
        return len(stored)

    async def list_events(
        self,
        *,
        type: str | None = None,  # noqa: A002 - an attribute of CloudEvents
        source: str | None = None,
        subject: str | None = None,
        run: str | None = None,
        beyond: int | None = None,
        limit: int = 100,
    ) -> list[EventView]:
        """Newest first; those of a `run` (published by it or delivered to it) in order of ingestion."""
        rows = await self._parts.store.list_events(
            type=type, source=source, subject=subject, run=run, beyond=beyond, limit=limit
        )
        return [EventView(row.seq, msgspec.json.decode(row.body)) for row in rows]

    async def event_matches(self, source: str, event_id: str, *, run: str | None = None) -> dict[str, Json]:
        """Whom the event could be meant for, and for each the first clause that failed; with `run` of that run alone.

        Raises `NotFound`.
        """
        why = await self._parts.event_questions.why(source, event_id, run, self._live)
        return why.as_json(self._parts.secrets.mask)

    async def resend(self, source: str, event_id: str) -> dict[str, Json]:
        """Publishes what an event said again, as a new event that names it; returns that one. Raises `NotFound`."""
        row = await self._parts.store.event(source, event_id)
        if row is None:
            raise NotFound(f"there is no event {event_id[:100]!r} of {source[:100]!r}; old ones are deleted")
        event = resent(event_of(row), new_run_id(self.clock.now_ms(), self._ids.entropy()))
        await self.publish([event])
        return event

    async def stream_run_events(
        self, run_id: str, *, after: int | None = None
    ) -> AsyncIterator[tuple[int, dict[str, Json]]]:
        """Events that the run publishes or is given, until it has ended; those taken in after `after`, or from now."""
        events = RunEvents(run_id, await self._newest() if after is None else after, self._run_page)
        closing = lambda: self._opened.closing  # noqa: E731 - asked again and again
        async for view in stream_of_run(events, run_id, self._parts.watching, self._live, closing):
            yield view.seq, view.event

    async def _run_page(self, run_id: str, beyond: int, limit: int) -> list[EventView]:
        return await self.list_events(run=run_id, beyond=beyond, limit=limit)

    async def _newest(self) -> int:
        newest = await self.list_events(limit=1)
        return newest[0].seq if newest else 0

    async def stream_events(self, *, after: int | None = None) -> AsyncIterator[tuple[int, dict[str, Json]]]:
        """Events as they come, with their place in the order of ingestion; from `after` on, or from now."""
        with self._parts.watching.events() as came:
            if after is None:
                after = await self._newest()
            while not self._opened.closing:
                came.clear()
                views = await self._newer(after)
                for view in views:
                    after = view.seq
                    yield view.seq, view.event
                if len(views) < limits.MAX_EVENTS_PER_LOOK:
                    await came.wait()

    async def _newer(self, after: int) -> list[EventView]:
        """Events after `after` in order of ingestion; of very many the oldest, so that none is left out."""
        found: deque[EventView] = deque(maxlen=limits.MAX_EVENTS_PER_LOOK)
        before: int | None = None
        while page := await self.list_events(beyond=before, limit=limits.MAX_PAGE_ITEMS):
            found.extend(view for view in page if view.seq > after)
            before = page[-1].seq
            if before <= after:
                break
        return list(reversed(found))

    # Tools, secrets and tokens

    async def put_tool(self, definition: ToolDefinition) -> StoredTool:
        """Registers or replaces a tool; calls that waited for one like it begin."""
        tool = await self._parts.directory.put(definition)
        self._parts.dispatch.tools_changed(definition.capability)
        self._log.info("tool registered", tool=tool.name, capability=tool.capability)
        return _stored_tool(tool)

    def put_function(self, capability: str, function: ToolFunction) -> None:
        """Provides a capability by a function of this process, before or after the engine is open.

        Calls that waited for it begin. Raises `CallerError` for a function that cannot be a tool.
        """
        self._functions.put(capability, function)
        if self._opened.is_open:
            self._parts.dispatch.tools_changed(capability)

    async def get_tool(self, name: str) -> StoredTool:
        """Raises `NotFound`."""
        return _stored_tool(self._parts.directory.get(name))

    async def list_tools(self) -> list[StoredTool]:
        """Every tool, by name."""
        return [_stored_tool(tool) for tool in self._parts.directory.tools()]

    async def delete_tool(self, name: str) -> None:
        """Raises `NotFound`."""
        await self._parts.directory.delete(name)

    async def capabilities(self) -> dict[str, list[str]]:
        """The tools that provide each capability, by name."""
        return self._parts.directory.capabilities()

    async def put_secret(self, name: str, value: Json) -> None:
        """Stores or replaces a secret, sealed."""
        if not 0 < len(name) <= limits.MAX_NAME_CHARACTERS:
            raise CallerError(f"the name of a secret has 1 to {limits.MAX_NAME_CHARACTERS} characters")
        await self._parts.secrets.put(name, value)

    async def list_secrets(self) -> list[str]:
        """The names; values never leave the engine."""
        return self._parts.secrets.names()

    async def delete_secret(self, name: str) -> None:
        """Raises `NotFound`."""
        await self._parts.secrets.delete(name)

    @property
    def tokens(self) -> Tokens:
        """Who may ask for what."""
        return self._parts.tokens

    @property
    def work(self) -> Work:
        """The work that tools take by event."""
        return self._parts.work

    # Inside

    async def _live(self, run_id: str) -> Live:
        live = self._parts.live.cached(run_id) if self._opened.is_sound else None
        live = live or await self._parts.live.read(run_id)
        if live is None:
            raise NotFound(f"there is no run {run_id}")
        return live

    async def _control(self, run_id: str, message: Message) -> RunView:
        await self._parts.controlling.control(run_id, message)
        return await self.get_run(run_id)

    def _with_reasons(self, live: Live, tasks: tuple[TaskView, ...]) -> tuple[TaskView, ...]:
        """Tasks that wait for a tool say so."""
        reasons = {
            invoke.entry: reason
            for invoke in live.state.calls
            if (reason := self._parts.dispatch.reason(invoke.call_id)) is not None
        }
        if not reasons:
            return tasks
        return tuple(
            msgspec.structs.replace(task, reason=reasons[task.entry])
            if task.entry in reasons and not task.ended_at
            else task
            for task in tasks
        )


def _stored_tool(tool: Tool) -> StoredTool:
    return StoredTool(msgspec.json.decode(tool.body, type=ToolDefinition), tool.created_at, tool.updated_at)
