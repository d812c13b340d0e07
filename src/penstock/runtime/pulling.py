"""Gives work to tools that fetch it: under leases, on any node, waking those who wait by memory and notices.

Who waits stands in line; one is woken for each thing that happens, and whoever got something wakes the next, so that
much work wakes many and none wakes nobody. For leases that end one alarm for each tool is set, while somebody waits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec
import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import COMMIT_BACKOFF_MS, MAX_KNOWN_LEASES, MAX_WAITING_PULLS
from penstock.runtime.clock import Clock
from penstock.store.protocol import Store
from penstock.store.rows import WorkRow


class Lease(msgspec.Struct, frozen=True):
    """A lease that this node gave or renewed."""

    token: int
    lease_ms: int
    until: int


class Pulling:
    """Waiting is bounded by `MAX_WAITING_PULLS`; more raise `InfrastructureError`."""

    def __init__(self, store: Store, clock: Clock, log: structlog.stdlib.BoundLogger) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._lines: dict[str, dict[object, asyncio.Event]] = {}
        """By tool, those who wait, in the order in which they came."""
        self._alarms: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._leases: OrderedDict[tuple[str, str], Lease] = OrderedDict()
        self._returning: set[asyncio.Future[None]] = set()
        self._waiting = 0
        self.closed = False
        self.windows: set[Callable[[str, str], None]] = set()
        """Called with each call id and tool ("" for all of them) whose work is over, and with nothing at the end."""

    # What happens elsewhere

    def offered(self, tools: Iterable[str]) -> None:
        """There may be work for these tools that was not there before."""
        for tool in tools:
            self._wake(tool)

    def look_again(self) -> None:
        """There may be work for any tool."""
        self.offered(list(self._lines))

    def withdrawn(self, call_id: str, tool: str) -> None:
        """This work is over."""
        self._leases.pop((call_id, tool), None)
        for over in self.windows:
            over(call_id, tool)

    def lease_end(self, call_id: str, tool: str) -> int:
        """When the lease ends, as far as is known here (milliseconds UTC); 0 when nothing is known."""
        known = self._leases.get((call_id, tool))
        return 0 if known is None else known.until

    async def close(self) -> None:
        """Sends everybody home, and ends what is under way."""
        self.closed = True
        for over in self.windows:
            over("", "")
        for line in self._lines.values():
            for event in line.values():
                event.set()
        for _, task in self._alarms.values():
            task.cancel()
        await asyncio.gather(*self._returning, return_exceptions=True)

    # What tools ask for

    async def pull(
        self, tool: str, *, lease_ms: int, most: int, wait_ms: int, holder: str, gone: Callable[[], bool]
    ) -> list[WorkRow]:
        """Up to `most` pieces of work, leased; none when none came in `wait_ms`. `gone` says that nobody wants them
        any more. When this is cancelled, nothing stays leased."""
        if self._waiting >= MAX_WAITING_PULLS:
            raise InfrastructureError(f"{MAX_WAITING_PULLS} tools wait for work here already")
        place, event, until = object(), asyncio.Event(), self._clock.now_ms() + wait_ms
        line = self._lines.setdefault(tool, {})
        line[place] = event
        self._waiting += 1
        rows: list[WorkRow] = []
        try:
            while not rows and not self.closed and not gone():
                event.clear()
                rows = await self._lease(tool, lease_ms, most, holder)
                if rows or self._clock.now_ms() >= until:
                    break
                if wait_ms and not event.is_set():
                    await self._set_alarm(tool)
                    await self._wait(event, until)
            return rows
        finally:
            del line[place]
            self._waiting -= 1
            if rows or event.is_set():
                self._wake(tool)
            if not line:
                self._forget(tool)

    async def renew(self, call_id: str, tool: str, token: int, lease_ms: int) -> int | None:
        """When the lease ends now (milliseconds UTC); None if it is not the last one of this work."""
        until = self._clock.now_ms() + lease_ms
        if not await self._store.renew_work(call_id, tool, token, until):
            self._leases.pop((call_id, tool), None)
            return None
        self._remember(call_id, tool, Lease(token, lease_ms, until))
        return until

    async def heard(self, call_id: str, tool: str, token: int, lease_ms: int) -> None:
        """The tool shows that it lives: its lease is renewed, for as long as it was given; `lease_ms` is for those
        that another node gave. Soon after it was given or renewed nothing is written."""
        known, now = self._leases.get((call_id, tool)), self._clock.now_ms()
        if known is not None and known.token == token:
            if known.until - now > known.lease_ms * 3 // 4:
                return
            lease_ms = known.lease_ms
        await self.renew(call_id, tool, token, lease_ms)

    async def give_back(self, rows: Iterable[WorkRow]) -> None:
        """Nobody took these: the next may have them."""
        for row in rows:
            await self.return_(row.call_id, row.tool, row.token)

    async def return_(self, call_id: str, tool: str, token: int) -> bool:
        """Ends a lease; False if it is not the last one of this work."""
        self._leases.pop((call_id, tool), None)
        done = await self._store.return_work(call_id, tool, token)
        self._wake(tool)
        return done

    # Inside

    async def _lease(self, tool: str, lease_ms: int, most: int, holder: str) -> list[WorkRow]:
        now = self._clock.now_ms()
        until = now + lease_ms
        leasing = asyncio.ensure_future(self._store.lease_work(tool, now=now, until=until, holder=holder, limit=most))
        try:
            rows = await asyncio.shield(leasing)
        except asyncio.CancelledError:
            giving = asyncio.ensure_future(self._give_back_later(leasing))
            self._returning.add(giving)
            giving.add_done_callback(self._returning.discard)
            raise
        for row in rows:
            self._remember(row.call_id, tool, Lease(row.token, lease_ms, until))
        return rows

    async def _give_back_later(self, leasing: "asyncio.Future[list[WorkRow]]") -> None:
        try:
            await self.give_back(await leasing)
        except InfrastructureError as error:
            self._log.warning("work is not given back before its lease ends", reason=str(error))

    def _remember(self, call_id: str, tool: str, lease: Lease) -> None:
        self._leases[call_id, tool] = lease
        self._leases.move_to_end((call_id, tool))
        if len(self._leases) > MAX_KNOWN_LEASES:
            self._leases.popitem(last=False)

    def _wake(self, tool: str) -> None:
        """The first in line who is not awake."""
        for event in self._lines.get(tool, {}).values():
            if not event.is_set():
                event.set()
                return

    async def _wait(self, event: asyncio.Event, until: int) -> None:
        try:
            async with asyncio.timeout(max(until - self._clock.now_ms(), 0) / 1000):
                await event.wait()
        except TimeoutError:
            pass

    async def _set_alarm(self, tool: str) -> None:
        """Somebody is woken when the next piece of work comes due: a lease ends, say."""
        at = await self._store.next_work_at(tool)
        set_ = self._alarms.get(tool)
        if at is None or tool not in self._lines or (set_ is not None and set_[0] <= at):
            return
        if set_ is not None:
            set_[1].cancel()
        # Work that was due already and was not leased is on its way to another: not at once again.
        at = max(at, self._clock.now_ms() + COMMIT_BACKOFF_MS)
        self._alarms[tool] = (at, asyncio.ensure_future(self._ring(tool, at)))

    async def _ring(self, tool: str, at: int) -> None:
        await self._clock.sleep_until(at)
        del self._alarms[tool]
        self._wake(tool)

    def _forget(self, tool: str) -> None:
        self._lines.pop(tool, None)
        if (alarm := self._alarms.pop(tool, None)) is not None:
            alarm[1].cancel()
