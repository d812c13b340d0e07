"""Reads on connections of their own, so that they do not wait for writes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol, TypeVar

from penstock.store.sqlite.connection import failure, is_infrastructure
from penstock.store.sqlite.session import Session
from penstock.store.sqlite.writer import Writer

T = TypeVar("T")


class Readers(Protocol):
    """Where reads run."""

    async def read(self, query: Callable[[Session], T]) -> T: ...

    async def close(self) -> None: ...


class ReaderPool:
    """One thread for each read-only session."""

    def __init__(self, sessions: list[Session], place: str) -> None:
        self._place = place
        self._free: SimpleQueue[Session] = SimpleQueue()
        for session in sessions:
            self._free.put(session)
        self._threads = ThreadPoolExecutor(len(sessions), thread_name_prefix="penstock-store-reader")

    async def read(self, query: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._query, query)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        while not self._free.empty():
            self._free.get().close()

    def _query(self, query: Callable[[Session], T]) -> T:
        session = self._free.get()
        try:
            return query(session)
        except Exception as error:
            if is_infrastructure(error):
                raise failure(error, self._place) from error
            raise
        finally:
            self._free.put(session)


class ReadsThroughWriter:
    """For a database in memory, which only one connection can see."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def read(self, query: Callable[[Session], T]) -> T:
        return await self._writer.write(query, reads=True)

    async def close(self) -> None:
        """Nothing to close: the writer is closed by its owner."""
