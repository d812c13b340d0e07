"""The least that durability costs in Python: rows that wait share one transaction, and nothing else happens.

A workflow of N steps is N + 2 rows (begin, each step, end), each on disk before the next is made. No engine: the
figure says how much of the machine is left for one.
"""

import asyncio
import sqlite3
import threading
from pathlib import Path

ROW = b"x" * 220


class Floor:
    """One thread that writes what gathered while it wrote before. Use it inside the event loop that it is made in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._waiting: list[tuple[str, int, asyncio.Future[None]]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    async def workflow(self, name: str, steps: int) -> None:
        for number in range(steps + 2):
            await self.row(name, number)

    async def row(self, name: str, number: int) -> None:
        """Returns when the row is on disk."""
        done = self._loop.create_future()
        with self._changed:
            self._waiting.append((name, number, done))
            self._changed.notify()
        await done

    async def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE step (run TEXT, seq INT, body BLOB, PRIMARY KEY (run, seq)) WITHOUT ROWID")
        while batch := self._take():
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO step VALUES (?, ?, ?)", [(run, seq, ROW) for run, seq, _ in batch])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_wake, [done for _, _, done in batch])
        connection.close()

    def _take(self) -> list[tuple[str, int, asyncio.Future[None]]]:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            batch, self._waiting = self._waiting, []
            return batch


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)
