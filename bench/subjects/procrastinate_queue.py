"""procrastinate: a job queue in PostgreSQL. A workflow is a chain of jobs, a join is a counter; no events."""

import asyncio
from importlib.metadata import version

from procrastinate import App, PsycopgConnector  # pyright: ignore[reportMissingImports] - lives in the bench's own venv

from bench.disk import POSTGRES_BYTES, of_postgres
from bench.http_client import Client
from bench.subjects.contract import STEPS, Disk, Setup, stamp

JOIN = "UPDATE bench_join SET n = n + 1 WHERE run = %(run)s RETURNING n"


class ProcrastinateQueue:
    def __init__(self, setup: Setup) -> None:
        self._app = App(connector=PsycopgConnector(conninfo=setup.database, min_size=10, max_size=20))
        self._seconds = setup.timer_seconds
        self._client = Client(setup.service_port)
        self._ends: dict[str, asyncio.Future[object]] = {}
        self._chain = self._app.task(self._chain_step, name="chain")
        self._branch = self._app.task(self._branch_step, name="branch")
        self._timer = self._app.task(self._timer_step, name="timer")

    async def open(self, work: str) -> None:
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()
        await self._app.connector.execute_query_async("CREATE TABLE bench_join (run TEXT PRIMARY KEY, n INT)")
        self._worker = asyncio.ensure_future(
            self._app.run_worker_async(concurrency=100, install_signal_handlers=False, shutdown_graceful_timeout=1)
        )

    async def close(self) -> None:
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        await self._app.close_async()

    async def start(self, work: str, number: int) -> str:
        name = f"{work}-{number}"
        self._ends[name] = asyncio.get_running_loop().create_future()
        if work == "W4":
            await self._app.connector.execute_query_async("INSERT INTO bench_join VALUES (%(run)s, 0)", run=name)
            await self._branch.batch_defer_async(*({"run": name} for _ in range(STEPS["W4"])))
        elif work == "W5":
            due = self._timer.configure(schedule_in={"seconds": self._seconds})
            await due.defer_async(run=name, at=stamp() + self._seconds)
        else:
            await self._chain.defer_async(work=work, run=name, step=1, n=number)
        return name

    async def result(self, handle: str) -> object:
        return await self._ends[handle]

    async def signal(self, handle: str, number: int) -> None:
        raise NotImplementedError("a job queue has no waiting for an event")

    async def _chain_step(self, work: str, run: str, step: int, n: int) -> None:
        if work != "W1":
            status, _ = await self._client.post("/", {"n": n})
            assert status == 200
        if step < STEPS[work]:
            await self._chain.defer_async(work=work, run=run, step=step + 1, n=n + 1)
        else:
            self._ends[run].set_result(n + 1)

    async def _branch_step(self, run: str) -> None:
        if (await self._app.connector.execute_query_one_async(JOIN, run=run))["n"] == STEPS["W4"]:
            self._ends[run].set_result(STEPS["W4"])

    async def _timer_step(self, run: str, at: float) -> None:
        self._ends[run].set_result(stamp() - at)

    async def disk(self) -> Disk:
        return of_postgres(list((await self._app.connector.execute_query_one_async(POSTGRES_BYTES)).values()))

    def processes(self) -> list[int]:
        return []

    def counts(self) -> dict[str, float]:
        return {}

    def version(self) -> str:
        return f"{version('procrastinate')}, psycopg {version('psycopg')}"
