"""Restate: its server and a service of its Python SDK, each in a process of its own; the load comes over HTTP.

That is how it is used. Where runs are waited for one by one (W1, W2, W4), a run is one request that is answered when it
has ended, which is the cheapest way; `start` is then over before the run is on disk, and nothing is measured by it.
"""

import asyncio
import json
import sys
import time
from importlib.metadata import version

from bench.disk import written_bytes
from bench.http_client import Client
from bench.ports import free_port
from bench.restate_program import restate_program
from bench.subjects.contract import Crash, Disk, Setup
from bench.subjects.restate_service import NOTES

ANSWERED = ("W1", "W2", "W4")
OPENING_SECONDS = 60.0
NOTES_SECONDS = 0.005
PORTS = ("ingress", "admin", "node", "service")


class RestateServer:
    """Both processes are in the group of the measuring one, and end with it."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._answers: dict[str, asyncio.Task[object]] = {}
        self._running: list[asyncio.subprocess.Process] = []

    async def open(self, work: str) -> None:
        new = not (self._setup.directory / "ports").exists()
        ports = self._ports()
        notes = self._setup.directory / NOTES
        self._noted = notes.stat().st_size if notes.exists() else 0
        self._ingress = Client(ports["ingress"])
        await self._start(ports)
        for name in ("service", "admin", "ingress"):
            await _listening(ports[name])
        if new:
            await self._register(ports)
        if work == "W6":
            self._reading = asyncio.ensure_future(self._read_notes(self._setup.crash))

    async def close(self) -> None:
        self._ingress.close()
        for process in self._running:
            process.kill()
            await process.wait()

    async def start(self, work: str, number: int) -> str:
        if work in ANSWERED:
            name = f"{work}-{number}"
            self._answers[name] = asyncio.ensure_future(self._post(f"/Bench/{work}", number))
            return name
        if work == "W3":
            await self._post(f"/Waiter/{number}/run/send", number)
            return f"workflow/Waiter/{number}"
        sent = await self._post(f"/Bench/{work}/send", number)
        assert isinstance(sent, dict)
        return f"invocation/{sent['invocationId']}"

    async def result(self, handle: str) -> object:
        if handle in self._answers:
            return await self._answers.pop(handle)
        status, body = await self._ingress.get(f"/restate/{handle}/attach")
        assert status == 200, body
        return json.loads(body)

    async def signal(self, handle: str, number: int) -> None:
        await self._post(f"/Waiter/{number}/go", number)

    async def disk(self) -> Disk:
        return Disk(None, written_bytes(self.processes()))  # it reserves its files, so that their size tells nothing

    def processes(self) -> list[int]:
        return [process.pid for process in self._running]

    def counts(self) -> dict[str, float]:
        return {}

    def version(self) -> str:
        found = restate_program()
        return f"{found.version if found else '?'}, SDK {version('restate-sdk')}, granian {version('granian')}"

    @property
    def address(self) -> tuple[int, str]:
        """Port and path of W7 in its own HTTP interface."""
        return self._ports()["ingress"], "/Bench/W7"

    async def _post(self, path: str, body: object) -> object:
        status, answer = await self._ingress.post(path, body)
        assert status in {200, 202, 204}, answer
        return json.loads(answer) if answer else None

    def _ports(self) -> dict[str, int]:
        """The second life of W6 has those of the first: the server knows the service by its port."""
        path = self._setup.directory / "ports"
        if not path.exists():
            path.write_text(json.dumps({name: free_port() for name in PORTS}))
        return json.loads(path.read_text())

    async def _start(self, ports: dict[str, int]) -> None:
        found = restate_program()
        assert found is not None
        directory = self._setup.directory
        environment = {
            "HOME": str(directory),
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ports['ingress']}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{ports['admin']}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{ports['node']}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports['node']}",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_LOG_FILTER": "warn",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        server = [str(found.path), "--no-logo", "--base-dir", str(directory / "restate"), "--node-name", "n1"]
        service = [sys.executable, "-m", "bench.subjects.restate_service", str(directory), str(ports["service"])]
        service += [str(self._setup.service_port), str(self._setup.timer_seconds)]
        service += ["--holding"] if self._setup.crash.holding else []
        with (directory / "restate.log").open("ab") as log:
            for command, given in ((server, environment), (service, None)):
                self._running.append(await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=given))

    async def _register(self, ports: dict[str, int]) -> None:
        admin = Client(ports["admin"])
        deadline = time.monotonic() + OPENING_SECONDS
        while (answer := await admin.post("/deployments", {"uri": f"http://127.0.0.1:{ports['service']}"}))[0] != 201:
            if time.monotonic() > deadline:
                raise RuntimeError(answer[1].decode(errors="replace"))
            await asyncio.sleep(0.2)
        admin.close()
        for _ in range(int(OPENING_SECONDS / 0.2)):
            if (await self._ingress.post("/Bench/W1", 0))[0] == 200:
                return
            await asyncio.sleep(0.2)

    async def _read_notes(self, crash: Crash) -> None:
        """Tells the crash of each step that the service noted in this life."""
        path = self._setup.directory / NOTES
        with path.open() as notes:
            notes.seek(self._noted)
            while True:
                if (line := notes.readline()).endswith("\n"):
                    number, step = line.split()
                    crash.note(int(number), int(step))
                else:
                    notes.seek(notes.tell() - len(line))
                    await asyncio.sleep(NOTES_SECONDS)


async def _listening(port: int) -> None:
    deadline = time.monotonic() + OPENING_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
