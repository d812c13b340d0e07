"""Work that tools take by event, as tools and operators see it."""

from collections.abc import AsyncGenerator, Callable, Sequence

import structlog

from penstock.errors import Conflict, InfrastructureError, NotFound
from penstock.events.tool_events import read_tool_event
from penstock.model.json_value import Json
from penstock.model.limits import MAX_HTTP_WAIT_MS, PULL_LEASE_MS
from penstock.runtime.clock import Clock
from penstock.runtime.directory import Directory
from penstock.runtime.pulling import Pulling
from penstock.runtime.pushing import Pushing
from penstock.runtime.work_window import WorkWindow
from penstock.store.protocol import Store
from penstock.store.rows import WorkRow, WorkState
from penstock.tools.contract import PullTransport


class Work:
    """Every method raises `NotFound` for a tool that is not registered; those for pulling `Conflict` for one that
    does not pull."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        directory: Directory,
        pulling: Pulling,
        pushing: Pushing,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._pulling = pulling
        self._pushing = pushing
        self._log = log

    async def pull(
        self,
        tool: str,
        *,
        lease_ms: int | None = None,
        most: int = 1,
        wait_ms: int = 0,
        holder: str = "",
        gone: Callable[[], bool] = lambda: False,
    ) -> list[WorkRow]:
        """Leases up to `most` pieces of work, waiting up to `wait_ms` for the first; see `Pulling.pull`."""
        lease_ms = self._lease_ms(tool, lease_ms)
        return await self._pulling.pull(tool, lease_ms=lease_ms, most=most, wait_ms=wait_ms, holder=holder, gone=gone)

    async def stream(
        self, tool: str, *, lease_ms: int | None = None, most: int = 1, holder: str = ""
    ) -> AsyncGenerator[WorkRow]:
        """Leases work as it comes, for ever: `most` pieces at once that are not finished. What was leased and not
        taken out is given back at the end."""
        lease_ms = self._lease_ms(tool, lease_ms)
        rows: list[WorkRow] = []
        with WorkWindow(self._pulling, self._clock, tool, most) as window:
            try:
                while not self._pulling.closed:
                    room = await window.room()
                    rows = await self.pull(tool, lease_ms=lease_ms, most=room, wait_ms=MAX_HTTP_WAIT_MS, holder=holder)
                    window.took(rows, self._clock.now_ms() + lease_ms)
                    while rows:
                        yield rows.pop(0)
            finally:
                await self._pulling.give_back(rows)

    async def give_back(self, rows: Sequence[WorkRow]) -> None:
        """Whoever asked for these has gone."""
        await self._pulling.give_back(rows)

    async def renew(self, tool: str, call_id: str, token: int, lease_ms: int | None = None) -> int:
        """When the lease ends now (milliseconds UTC). `Conflict` when it is not the last one of this work."""
        until = await self._pulling.renew(call_id, tool, token, self._lease_ms(tool, lease_ms))
        if until is None:
            raise Conflict(f"lease {token} of this work has been followed by another, or the work is over")
        return until

    async def return_(self, tool: str, call_id: str, token: int) -> None:
        """Ends the lease; the next may have the work. `Conflict` when it is not the last one."""
        if not await self._pulling.return_(call_id, tool, token):
            raise Conflict(f"lease {token} of this work has been followed by another, or the work is over")

    async def listed(
        self, tool: str, *, state: WorkState | None, after: tuple[int, str, str] | None, limit: int
    ) -> list[WorkRow]:
        """Work of the tool that is on its way, the oldest first."""
        self._directory.get(tool)
        return await self._store.list_work(tool=tool, state=state, after=after, limit=limit)

    async def redeliver(self, tool: str, call_id: str | None = None) -> int:
        """Sends dead letters of the tool again, or the one of this call; returns how many."""
        self._directory.get(tool)
        count = await self._store.redeliver(tool=tool, call_id=call_id)
        if count:
            self._log.info("dead letters redelivered", tool=tool, count=count)
            self._pushing.look_again()
        return count

    async def heard(self, events: Sequence[dict[str, Json]]) -> None:
        """What tools said, when it is on disk: whoever says that he lives keeps his lease."""
        for event in events:
            said = read_tool_event(event)
            if said is None or not said.token or not said.tool:
                continue
            if said.said == "finished":
                self._pulling.withdrawn(said.call_id, said.tool)
                continue
            try:
                lease_ms = self._known_lease_ms(said.tool)
                await self._pulling.heard(said.call_id, said.tool, said.token, lease_ms)
            except InfrastructureError as error:
                self._log.warning("a lease is not renewed", call_id=said.call_id, reason=str(error))

    def check_pulls(self, tool: str) -> None:
        """Raises `NotFound` or `Conflict` for a tool that fetches no work."""
        self._lease_ms(tool)

    def _known_lease_ms(self, tool: str) -> int:
        definition = self._directory.definition(tool)
        transport = None if definition is None else definition.transport
        return transport.lease_ms if isinstance(transport, PullTransport) else PULL_LEASE_MS

    def _lease_ms(self, tool: str, wanted: int | None = None) -> int:
        definition = self._directory.definition(tool)
        if definition is None:
            raise NotFound(f"no tool named {tool}")
        if not isinstance(definition.transport, PullTransport):
            raise Conflict(f"the tool {tool} does not fetch its work: its transport is not 'pull'")
        return wanted or definition.transport.lease_ms
