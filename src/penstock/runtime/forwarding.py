"""Messages that exist only in this engine's memory, for runs that are another's: they go by the store's inbox."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from penstock.errors import InfrastructureError
from penstock.kernel.messages import Message
from penstock.model.limits import COMMIT_BACKOFF_MS, MAX_FORWARDED
from penstock.runtime.envelopes import pack_message
from penstock.store.protocol import Store
from penstock.store.rows import InboxRow


class Forwarding:
    """Sends in order, again and again until the store has taken it. Its bound is that of what can wait for runs.

    What is sent twice, because nobody knows whether it was sent, means nothing the second time.
    """

    def __init__(
        self, store: Store, log: structlog.stdlib.BoundLogger, *, sent: Callable[[Iterable[InboxRow]], None]
    ) -> None:
        self._store = store
        self._log = log
        self._sent = sent
        self._waiting: deque[tuple[str, Message]] = deque()
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def add(self, run_id: str, message: Message) -> None:
        """Sends the message, soon."""
        self._waiting.append((run_id, message))
        self._none.clear()
        self._some.set()

    async def emptied(self) -> None:
        """Returns when everything is in the store."""
        await self._none.wait()

    async def run(self) -> None:
        """Sends for ever."""
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._send()
            except InfrastructureError as error:
                self._log.warning("messages to other nodes wait", reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)
                self._some.set()

    async def _send(self) -> None:
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(len(self._waiting), MAX_FORWARDED))]
            rows = await self._store.send([(run_id, pack_message(message)) for run_id, message in batch])
            for _ in batch:
                self._waiting.popleft()
            self._sent(rows)
        self._none.set()
