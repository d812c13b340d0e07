"""The floor behind the methods of a subject: rows, no engine."""

import asyncio
import sqlite3

from bench.disk import of_sqlite
from bench.floor import Floor
from bench.http_client import Client
from bench.subjects.contract import STEPS, Disk, Setup


class FloorRows:
    def __init__(self, setup: Setup) -> None:
        self._path = setup.directory / "floor.db"
        self._floor = Floor(self._path)
        self._client = Client(setup.service_port)
        self._results: dict[str, asyncio.Task[object]] = {}

    async def open(self, work: str) -> None: ...

    async def close(self) -> None:
        self._client.close()
        await self._floor.close()

    async def start(self, work: str, number: int) -> str:
        name = f"{work}-{number:033d}"
        await self._floor.row(name, 0)
        self._results[name] = asyncio.ensure_future(self._steps(work, name, number))
        return name

    async def result(self, handle: str) -> object:
        return await self._results.pop(handle)

    async def signal(self, handle: str, number: int) -> None:
        raise NotImplementedError("the floor has no events")

    async def _steps(self, work: str, name: str, number: int) -> object:
        count = STEPS[work]
        if work == "W4":
            await asyncio.gather(*(self._floor.row(name, step) for step in range(1, count + 1)))
            number = count
        else:
            for step in range(1, count + 1):
                number = await self._step(work, number)
                await self._floor.row(name, step)
        await self._floor.row(name, count + 1)
        return number

    async def _step(self, work: str, number: int) -> int:
        if work != "W1":
            status, _ = await self._client.post("/", {"n": number})
            assert status == 200
        return number + 1

    async def disk(self) -> Disk:
        return of_sqlite(self._path)

    def processes(self) -> list[int]:
        return []

    def counts(self) -> dict[str, float]:
        return {}

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"
