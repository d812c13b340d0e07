"""Sends work to tools that take it by push: what the store holds as waiting, until a tool has accepted it.

At least once: after a crash between a delivery and the note of it the tool gets the same event again, with its id.
Work is on disk from the turn that offers it to the one that withdraws it; what is here can be read again.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable

import structlog

from penstock.errors import Fault, InfrastructureError
from penstock.model.limits import (
    COMMIT_BACKOFF_MS,
    MAX_FAULT_TEXT,
    MAX_PUSH_ATTEMPTS,
    MAX_PUSH_BACKOFF_MS,
    MAX_PUSHES_IN_FLIGHT,
    MAX_PUSHES_IN_MEMORY,
    MAX_PUSHES_PER_TOOL,
    PUSH_BACKOFF_MS,
    TIMER_WINDOW_MS,
)
from penstock.runtime.clock import Clock
from penstock.runtime.deliveries import EVENT_MEDIA, SIGNATURE, event_for, signature
from penstock.runtime.directory import Directory
from penstock.runtime.metrics import Metrics
from penstock.runtime.secret_values import Secrets
from penstock.runtime.sleeping import sleep_until_changed
from penstock.store.protocol import Store
from penstock.store.rows import WorkRow
from penstock.tools.contract import PushTransport, SecretUnavailable
from penstock.tools.http import IDEMPOTENCY_KEY
from penstock.tools.http_client import HttpClient
from penstock.tools.http_request import HttpRequest, header_pairs, target_of

Place = tuple[str, str]
"""Call id and tool."""


class Pushing:
    """Deliveries of the runs that this node holds. One tool that is slow or away holds up no other."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        directory: Directory,
        secrets: Secrets,
        client: HttpClient,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._secrets = secrets
        self._client = client
        self._metrics = metrics
        self._log = log
        self._ready: dict[str, dict[str, WorkRow]] = {}
        """By tool and call id, what is due, in order."""
        self._known: set[Place] = set()
        """What is ready or under way."""
        self._running: dict[Place, asyncio.Task[None]] = {}
        self._busy: dict[str, int] = {}
        self._instants: list[int] = []
        """When work in the store comes due."""
        self._read_at = 0
        """When the store is looked through again."""
        self._changed = asyncio.Event()
        self._stopped = False
        self._ended_lately: set[Place] = set()
        """What ended since a look through the store began: what that saw of it is old."""

    def take(self, rows: Iterable[WorkRow]) -> None:
        """Work that was offered just now."""
        for row in rows:
            self._add(row)
        self._pump()

    def look_again(self) -> None:
        """There may be work in the store that nobody told of."""
        self._read_at = 0
        self._changed.set()

    def withdrawn(self, call_id: str, tool: str = "") -> None:
        """Nobody shall begin this work any more."""
        for name in [tool] if tool else self._ready:
            if self._ready.get(name, {}).pop(call_id, None) is not None:
                self._known.discard((call_id, name))

    def keep_only(self, owns: Callable[[str], bool]) -> None:
        """Forgets what is somebody else's to send now, but for what is under way."""
        for row in [row for rows in self._ready.values() for row in rows.values() if not owns(row.run_id)]:
            self.withdrawn(row.call_id, row.tool)

    async def run(self) -> None:
        """Sends for ever."""
        while True:
            self._changed.clear()
            now = self._clock.now_ms()
            while self._instants and self._instants[0] <= now:
                heapq.heappop(self._instants)
                self._read_at = 0
            if self._read_at <= now:
                try:
                    await self._read(now)
                except InfrastructureError as error:
                    self._log.warning("pushes wait", reason=str(error))
                    self._read_at = now + COMMIT_BACKOFF_MS
            first = self._instants[0] if self._instants else self._read_at
            await sleep_until_changed(self._clock, min(first, self._read_at), self._changed)

    async def stop(self, grace_ms: int) -> None:
        """Begins no more, and lets those under way end for a moment; what is not noted is sent again."""
        self._stopped = True
        self._ready.clear()
        tasks = set(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace_ms / 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, now: int) -> None:
        """All that is due, and when the next is."""
        self._read_at = now + TIMER_WINDOW_MS  # before the read: what is offered meanwhile comes by `take`
        self._instants.clear()
        self._ended_lately.clear()
        limit = MAX_PUSHES_IN_MEMORY + len(self._known)
        rows = await self._store.push_due(now + TIMER_WINDOW_MS, limit)
        for row in rows:
            if (row.call_id, row.tool) in self._ended_lately:
                continue
            if row.due_at <= now:
                self._add(row)
            else:
                heapq.heappush(self._instants, row.due_at)
        if len(rows) == limit:
            self._read_at = now + COMMIT_BACKOFF_MS
        self._pump()

    def _add(self, row: WorkRow) -> None:
        place = (row.call_id, row.tool)
        if place in self._known or self._stopped:
            return
        rows = self._ready.setdefault(row.tool, {})
        if len(rows) >= MAX_PUSHES_IN_MEMORY:
            self._read_at = min(self._read_at, self._clock.now_ms() + COMMIT_BACKOFF_MS)
            self._changed.set()
            return
        self._known.add(place)
        rows[row.call_id] = row

    def _pump(self) -> None:
        for tool, rows in list(self._ready.items()):
            while rows and len(self._running) < MAX_PUSHES_IN_FLIGHT and self._busy.get(tool, 0) < MAX_PUSHES_PER_TOOL:
                row = rows.pop(next(iter(rows)))
                place = (row.call_id, tool)
                self._busy[tool] = self._busy.get(tool, 0) + 1
                self._running[place] = task = asyncio.create_task(self._push(row))
                task.add_done_callback(lambda _, place=place: self._ended(place))
            if not rows:
                del self._ready[tool]

    def _ended(self, place: Place) -> None:
        del self._running[place]
        self._known.discard(place)
        self._ended_lately.add(place)
        self._busy[place[1]] -= 1
        if not self._busy[place[1]]:
            del self._busy[place[1]]
        if self._ready and not self._stopped:
            self._pump()

    async def _push(self, row: WorkRow) -> None:
        try:
            reason = await self._deliver(row)
            self._metrics.pushes.labels("taken" if reason is None else "failed").inc()
            await self._note(row, reason)
        except InfrastructureError as error:
            self._log.warning("a delivery is not noted", call_id=row.call_id, tool=row.tool, reason=str(error))
            self._later(self._clock.now_ms() + COMMIT_BACKOFF_MS)
        except Exception as error:  # the bulkhead of a delivery
            self._log.error("delivery failed inside the engine", call_id=row.call_id, tool=row.tool, exc_info=error)
            self._later(self._clock.now_ms() + MAX_PUSH_BACKOFF_MS)

    async def _deliver(self, row: WorkRow) -> str | None:
        """Why the tool has not taken it; None when it has."""
        transport = self._transport(row.tool)
        if isinstance(transport, str):
            return transport
        now, body = self._clock.now_ms(), event_for(row)
        request = HttpRequest("POST", target_of(transport.url), header_pairs(transport.headers), body)
        request = request.with_header("Content-Type", EVENT_MEDIA).with_header(IDEMPOTENCY_KEY, row.call_id)
        if transport.secret:
            try:
                key = self._secrets.signing_key(transport.secret)
            except SecretUnavailable as error:
                return str(error)
            request = request.with_header(SIGNATURE, signature(key, now, body))
        answer = await self._client.exchange(request, timeout_ms=transport.timeout_ms)
        if isinstance(answer, Fault):
            return answer.detail[:MAX_FAULT_TEXT]
        if 200 <= answer.status < 300:
            return None
        said = "".join(one for one in answer.reason if one.isprintable())  # a store cannot hold every character
        return f"it answered {answer.status} {said}".rstrip()[:MAX_FAULT_TEXT]

    def _transport(self, tool: str) -> PushTransport | str:
        definition = self._directory.definition(tool)
        if definition is None:
            return f"no tool named {tool} is registered any more"
        if not isinstance(definition.transport, PushTransport):
            return f"the tool {tool} does not take pushes any more"
        return definition.transport

    async def _note(self, row: WorkRow, reason: str | None) -> None:
        now, attempts = self._clock.now_ms(), row.attempts + 1
        transport = self._transport(row.tool)
        most = MAX_PUSH_ATTEMPTS if isinstance(transport, str) else transport.attempts
        if reason is None:
            state, due_at = "sent", now
        elif attempts >= most:
            state, due_at = "dead", now
        else:
            state, due_at = "waiting", now + min(PUSH_BACKOFF_MS << row.attempts, MAX_PUSH_BACKOFF_MS)
        noted = await self._store.push_result(
            row.call_id, row.tool, state=state, attempts=attempts, due_at=due_at, reason=reason or ""
        )
        if noted and state == "waiting":
            self._later(due_at)
        if noted and state == "dead":
            self._log.warning("dead letter", run_id=row.run_id, call_id=row.call_id, tool=row.tool, reason=reason)

    def _later(self, at: int) -> None:
        if len(self._instants) < MAX_PUSHES_IN_MEMORY:
            heapq.heappush(self._instants, at)
        self._changed.set()
