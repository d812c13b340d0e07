"""DBOS for Python as a library in the measuring process, which is its normal use; asynchronous workflows and steps."""

import asyncio
from importlib.metadata import version

import psycopg  # pyright: ignore[reportMissingImports] - lives in the bench's own venv
from dbos import DBOS, SetWorkflowID  # pyright: ignore[reportMissingImports] - lives in the bench's own venv

from bench.disk import POSTGRES_BYTES, of_postgres, of_sqlite
from bench.http_client import Client
from bench.subjects.contract import STEPS, Disk, Setup, stamp


class DbosLibrary:
    """Over its SQLite file, which it opens in its own way, or over the PostgreSQL database of the setup."""

    def __init__(self, setup: Setup) -> None:
        self._database, self._path = setup.database, setup.directory / "dbos.sqlite"
        self._url = setup.database.replace("postgresql:", "postgresql+psycopg:", 1) or f"sqlite:///{self._path}"
        self._workflows = workflows(setup)
        self._handles = {}

    async def open(self, work: str) -> None:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": self._url,
                "run_admin_server": False,
                "log_level": "ERROR",
                "application_version": "1",
            }
        )
        DBOS.launch()

    async def close(self) -> None:
        DBOS.destroy(workflow_completion_timeout_sec=0)

    async def start(self, work: str, number: int) -> str:
        name = f"{work}-{number}"
        with SetWorkflowID(name):
            self._handles[name] = await DBOS.start_workflow_async(self._workflows[work], number)
        return name

    async def result(self, handle: str) -> object:
        return await self._handles.pop(handle).get_result()

    async def signal(self, handle: str, number: int) -> None:
        await DBOS.send_async(handle, {"n": number}, topic="go")

    async def disk(self) -> Disk:
        if not self._database:
            return of_sqlite(self._path)
        async with await psycopg.AsyncConnection.connect(self._database) as connection:
            return of_postgres(await (await connection.execute(POSTGRES_BYTES)).fetchone())

    def processes(self) -> list[int]:
        return []

    def counts(self) -> dict[str, float]:
        return {}

    def version(self) -> str:
        return f"{version('dbos')}, SQLAlchemy {version('sqlalchemy')}"


def workflows(setup: Setup):  # noqa: C901 - a list of small functions; DBOS registers each where it is defined
    client = Client(setup.service_port)

    @DBOS.step()
    async def noop(n):
        return n + 1

    @DBOS.step()
    async def request(n):
        status, _ = await client.post("/", {"n": n})
        assert status == 200
        return n + 1

    @DBOS.step()
    async def mark():
        return stamp()

    @DBOS.step()
    async def noted(n, step):
        await setup.crash.step(n, step)
        return step

    @DBOS.workflow()
    async def w1(n):
        for _ in range(STEPS["W1"]):
            n = await noop(n)
        return n

    @DBOS.workflow()
    async def w2(n):
        for _ in range(STEPS["W2"]):
            n = await request(n)
        return n

    @DBOS.workflow()
    async def w3(n):
        return (await DBOS.recv_async("go", timeout_seconds=300))["n"]

    @DBOS.workflow()
    async def w4(n):
        return len(await asyncio.gather(*(noop(n) for _ in range(STEPS["W4"]))))

    @DBOS.workflow()
    async def w5(n):
        before = await mark()
        await DBOS.sleep_async(setup.timer_seconds)
        return await mark() - before - setup.timer_seconds

    @DBOS.workflow()
    async def w6(n):
        for step in range(1, STEPS["W6"] + 1):
            await noted(n, step)
        return n

    @DBOS.workflow()
    async def w7(n):
        return await request(n)

    return {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W6": w6, "W7": w7}
