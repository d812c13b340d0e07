"""This engine, inside the measuring process, as its other peers are."""

import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import penstock
from bench.disk import POSTGRES_BYTES, of_postgres, of_sqlite
from bench.subjects.contract import STEPS, Disk, Setup, stamp
from penstock import Engine
from penstock.model.json_value import Json


def document(name: str, tasks: list[Json]) -> dict[str, Json]:
    head: dict[str, Json] = {"dsl": "1.0.3", "namespace": "bench", "name": name.lower(), "version": "1.0.0"}
    return {"document": head, "do": tasks}


def chain(capability: str, steps: int) -> list[Json]:
    return [{f"step{number}": {"call": capability}} for number in range(1, steps + 1)]


def requests(port: int, steps: int) -> list[Json]:
    arguments: Json = {"method": "post", "endpoint": f"http://127.0.0.1:{port}/", "body": {"n": "${ .n }"}}
    return [{f"step{number}": {"call": "http", "with": arguments}} for number in range(1, steps + 1)]


def one_event() -> list[Json]:
    wanted: Json = {
        "with": {"type": "bench.go"},
        "correlate": {"run": {"from": "${ .data.n }", "expect": "${ .n }"}},
    }
    return [{"go": {"listen": {"to": {"one": wanted}}}}]


def event(name: str, number: int) -> dict[str, Json]:
    """What the run of that number waits for."""
    return {"specversion": "1.0", "id": name, "source": "/bench", "type": "bench.go", "data": {"n": number}}


def fork(branches: int) -> list[Json]:
    return [{"all": {"fork": {"branches": [{f"b{number}": {"call": "noop"}} for number in range(branches)]}}}]


def timer(seconds: int) -> list[Json]:
    return [{"before": {"call": "mark"}}, {"sleep": {"wait": {"seconds": seconds}}}, {"after": {"call": "mark"}}]


NOTHING_MORE: Final[Mapping[str, Json]] = MappingProxyType({})
COUNTED: Final = {f"penstock_store_{name}_total": name for name in ("commits", "statements", "turns")}

TASKS: Final[dict[str, Callable[[Setup], list[Json]]]] = {
    "W1": lambda _: chain("noop", STEPS["W1"]),
    "W2": lambda setup: requests(setup.service_port, STEPS["W2"]),
    "W3": lambda _: one_event(),
    "W4": lambda _: fork(STEPS["W4"]),
    "W5": lambda setup: timer(setup.timer_seconds),
    "W6": lambda _: chain("step", STEPS["W6"]),
    "W7": lambda setup: requests(setup.service_port, STEPS["W7"]),
    "W8a": lambda _: one_event(),
}


class PenstockEngine:
    """Over a SQLite file, or over the database of the setup if it names one."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        if setup.database:
            self._engine = Engine(setup.database, key_file=str(setup.directory / "key"))
        else:
            self._engine = Engine(f"sqlite:{setup.directory / 'engine.db'}")
        self._engine.tool("noop", noop)
        self._engine.tool("mark", mark)
        self._engine.tool("step", self._step)

    @property
    def engine(self) -> Engine:
        return self._engine

    async def open(self, work: str) -> None:
        await self._engine.__aenter__()
        if work in TASKS:
            await self.open_work(work)

    async def open_work(self, work: str) -> None:
        """One more work for the engine that is open."""
        await self._engine.deploy(document(work, TASKS[work](self._setup)))

    async def close(self) -> None:
        await self._engine.__aexit__(None, None, None)

    async def start(self, work: str, number: int) -> str:
        key = f"{work}-{number}" if work == "W6" else None  # the second life finds its runs by it
        return (await self._engine.start(f"bench/{work.lower()}", {"n": number}, key=key)).id

    async def result(self, handle: str) -> object:
        output = await self._engine.get(handle).result()
        if isinstance(output, list):  # the joined branches of W4, or the one event of W3
            output = output[0] if len(output) == 1 else {"n": len(output)}
        assert isinstance(output, dict)
        return output["late"] - self._setup.timer_seconds if "late" in output else output["n"]

    async def signal(self, handle: str, number: int, more: Mapping[str, Json] = NOTHING_MORE) -> None:
        await self._engine.publish({**event(handle, number), **more})

    async def _step(self, given: dict[str, int]) -> dict[str, int]:
        step = given.get("step", 0) + 1
        await self._setup.crash.step(given["n"], step)
        return {"n": given["n"], "step": step}

    async def disk(self) -> Disk:
        if not self._setup.database:
            return of_sqlite(self._setup.directory / "engine.db")
        import asyncpg  # noqa: PLC0415 - only with PostgreSQL

        connection = await asyncpg.connect(self._setup.database)
        row = await connection.fetchrow(POSTGRES_BYTES)
        await connection.close()
        assert row is not None
        return of_postgres(list(row))

    def processes(self) -> list[int]:
        return []

    def counts(self) -> dict[str, float]:
        """As the store counts them. Over PostgreSQL each statement is one round trip."""
        found: dict[str, float] = {}
        for line in self._engine.runtime.metrics.render().decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name in COUNTED:
                found[COUNTED[name]] = float(value)
        return found

    def version(self) -> str:
        return f"{penstock.__version__}, SQLite {sqlite3.sqlite_version}"


async def noop(given: dict[str, int]) -> dict[str, int]:
    return {"n": given["n"] + 1}


async def mark(given: dict[str, float]) -> dict[str, float]:
    return {"n": given["n"], "late": stamp() - given["at"]} if "at" in given else {"n": given["n"], "at": stamp()}
