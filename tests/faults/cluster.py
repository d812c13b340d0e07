"""Nodes as real processes over one database, each with a network of its own; they can be killed, frozen, cut off."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.cli.process import COMMAND, environment
from tests.faults.proxy import Proxy
from tests.postgres_server import PostgresServer

START_S: Final = 30.0
STOP_S: Final = 30.0
_KEY: Final = "c2ltdWxhdGVkIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_TAIL_CHARACTERS: Final = 3_000


class Node:
    """`penstock up` behind a proxy. Each start is a new process, which appends to the same log."""

    def __init__(
        self, name: str, directory: Path, server: PostgresServer, schema: str, variables: dict[str, str]
    ) -> None:
        self.name = name
        self.url = ""
        """Where it answers, or did when it was last heard of."""
        self.serves = False
        self.frozen = False
        self.left = False
        """It ended on request, and is not to come back."""
        self.moves_runs = variables.get("PENSTOCK_ROLES") != "api"
        self.proxy = Proxy(server.socket)
        self.lives = 0
        self._schema = schema
        self._variables = variables
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        with suppress(FileNotFoundError):
            return self._log.read_text(encoding="utf-8", errors="replace")
        return ""

    async def start(self) -> None:
        """Returns when it takes requests."""
        store = f"postgresql://postgres@127.0.0.1:{self.proxy.port}/postgres?sslmode=disable&schema={self._schema}"
        self._directory.mkdir(exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "up", "--port", "0", "--store", store, "--log-format", "json"),
                cwd=self._directory,
                env=environment(PENSTOCK_KEY=_KEY, PYTHONUNBUFFERED="1", **self._variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self.lives += 1
        async with asyncio.timeout(START_S):
            line = (await self._process.stdout.readline()).decode()
        found = _ADDRESS.search(line)
        assert found is not None, f"{self.name} did not start: {line!r}\n{self.log[-_TAIL_CHARACTERS:]}"
        self.url, self.serves = found.group(), True

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to say anything to anybody."""
        self.serves = self.frozen = False
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: everything stands still in the middle of whatever it was; its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)
        self.frozen = False

    async def leave(self) -> None:
        """SIGTERM; returns when it has ended, as it should, with 0."""
        assert self._process is not None
        self.serves, self.left = False, True
        self._process.terminate()
        async with asyncio.timeout(STOP_S):
            status = await self._process.wait()
        assert status == 0, f"{self.name} ended with {status}:\n{self.log[-_TAIL_CHARACTERS:]}"

    async def clean_up(self) -> None:
        """Nothing of it is left, whatever state it was in."""
        self.serves = False
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # with the workers of a life that was killed before
            await self._process.wait()
        await self.proxy.close()

    @property
    def _log(self) -> Path:
        return self._directory / "log"


class Cluster:
    """Several nodes over one schema."""

    def __init__(self, directory: Path, server: PostgresServer, schema: str, lease_s: int) -> None:
        self.nodes: list[Node] = []
        self.server = server
        self.schema = schema
        self.lease_s = lease_s
        self._directory = directory

    @property
    def serving(self) -> list[Node]:
        """Those that were started and not ended; some may be frozen or cut off."""
        return [node for node in self.nodes if node.serves]

    @property
    def engines(self) -> int:
        """How many of those move runs."""
        return sum(node.moves_runs for node in self.serving)

    async def add(self, roles: str = "") -> Node:
        """One more node, which serves when this returns."""
        name = f"node{len(self.nodes)}"
        variables = {"PENSTOCK_LEASE_S": str(self.lease_s), **({"PENSTOCK_ROLES": roles} if roles else {})}
        node = Node(name, self._directory / name, self.server, self.schema, variables)
        await node.proxy.start()
        self.nodes.append(node)
        await node.start()
        return node

    async def heal(self, *, forget: bool = False) -> None:
        """Undoes every fault (see `Proxy.heal`); returns when all nodes serve. Those that left on request stay away."""
        for node in self.nodes:
            node.proxy.heal(forget=forget)
            if node.frozen:
                node.thaw()
        await asyncio.gather(*(node.start() for node in self.nodes if not node.serves and not node.left))

    def move(self, server: PostgresServer) -> None:
        """From now on all nodes reach another server under the address that they know."""
        self.server = server
        for node in self.nodes:
            node.proxy.server_socket = server.socket
            node.proxy.cut()

    def logs(self) -> str:
        """The end of each node's log, for whoever looks into a failure."""
        return "\n".join(f"--- {node.name}\n{node.log[-_TAIL_CHARACTERS:]}" for node in self.nodes)


@asynccontextmanager
async def clustered(
    directory: Path, server: PostgresServer, schema: str, *, lease_s: int, nodes: int = 3, roles: Sequence[str] = ()
) -> AsyncIterator[Cluster]:
    """A cluster whose nodes serve; nothing of it is left afterwards. `roles`, if given, are those of each node."""
    cluster = Cluster(directory, server, schema, lease_s)
    try:
        for role in roles or [""] * nodes:
            await cluster.add(role)
        yield cluster
    except BaseException:
        print(cluster.logs())  # noqa: T201 - pytest shows it when the test has failed
        raise
    finally:
        await asyncio.gather(*(node.clean_up() for node in cluster.nodes))
