"""Threads for functions that block: bounded in number, and never waited for when the engine or the program ends."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

from penstock.model.limits import MAX_FUNCTION_THREADS

T = TypeVar("T")


class _Work(Generic[T]):
    """One piece of work, and who waits for it."""

    __slots__ = ("do", "future", "given_up", "loop")

    def __init__(self, do: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.do = do
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.given_up = False

    def finish(self) -> None:
        """In the thread."""
        if self.given_up:
            return
        result = self.do()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._answer, result)

    def _answer(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)


class FunctionThreads:
    """At most `most` threads, begun when they are needed; further work waits in order.

    They are daemons: work that was given up may never end, and must not keep the program from ending.
    """

    def __init__(self, most: int = MAX_FUNCTION_THREADS) -> None:
        self._most = most
        self._waiting: SimpleQueue[_Work[object] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    async def run(self, do: Callable[[], T]) -> T:
        """Does the work in a thread. `do` must not raise. Cancelling gives it up: it goes on, but nobody waits."""
        work = _Work(do, asyncio.get_running_loop())
        self._waiting.put(work)  # type: ignore[arg-type]
        if not self._idle.acquire(blocking=False) and self._count < self._most:
            self._count += 1
            name = f"penstock-function-{self._count}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        try:
            return await work.future
        finally:
            work.given_up = True

    def close(self) -> None:
        """Lets the threads end when they have done what they do; waits for none."""
        for _ in range(self._count):
            self._waiting.put(None)

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            work.finish()
            del work  # what it holds must not live until the next one comes
            self._idle.release()
