"""The machine that the engine runs on: boots it, crashes it, stops it, and carries requests to it."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final, TypeVar

from penstock.errors import InfrastructureError
from penstock.kernel.messages import Message
from penstock.runtime.engine import Engine
from penstock.testing.loop import Process, SimulatedLoop
from penstock.testing.trace import Trace

T = TypeVar("T")

_STOP_S: Final = 30.0
_PAUSES_S: Final = (0.2, 2.0, 2.0, 8.0)
"""The longest time without an engine; one of them each time."""


class Disconnected(Exception):
    """Nobody answers, or the connection broke: what was asked for may have happened or not."""


class SimulatedEngine(Engine):
    """The production engine, with a way in for answers that come by another road."""

    def bring(self, run_id: str, message: Message) -> None:
        """Puts a message to the others of a run."""
        self._parts.turns.submit(run_id, message)


class Host:
    """One engine at a time. `build` makes a new one; `spawn`ed with it is all that it does."""

    def __init__(
        self,
        name: str,
        loop: SimulatedLoop,
        trace: Trace,
        random: Random,
        build: Callable[[Process], SimulatedEngine],
    ) -> None:
        self._name = name
        self._loop = loop
        self._trace = trace
        self._random = random
        self._build = build
        self._engine: SimulatedEngine | None = None
        self._process: Process | None = None
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._boots = 0
        self._down = asyncio.Event()
        self._down.set()
        self._graveyard: list[Engine] = []
        self._stopping = False
        self.crashes = 0

    @property
    def process(self) -> Process | None:
        return self._process

    @property
    def engine(self) -> SimulatedEngine | None:
        """The engine while it serves."""
        return self._engine

    async def supervise(self) -> None:
        """Starts an engine whenever there is none."""
        while True:
            await self._down.wait()
            await asyncio.sleep(self._random.random() * self._random.choice(_PAUSES_S))
            await self._boot()

    async def _boot(self) -> None:
        self._boots += 1
        process = Process(f"{self._name} {self._boots}")
        self._process = process
        self._down.clear()
        engine = self._build(process)
        self._graveyard.append(engine)
        try:
            await self._call(process, engine.__aenter__)
        except (InfrastructureError, Disconnected) as error:
            self._trace.note(f"{process.name} did not start: {error}")
            self._end(process)
            return
        if process.alive:
            self._trace.note(f"{process.name} serves")
            self._engine = engine

    async def request(self, ask: Callable[[SimulatedEngine], Awaitable[T]]) -> T:
        """Asks the engine, over a network that takes time. Raises `Disconnected`."""
        await asyncio.sleep(self._random.random() * 0.01)
        if self._engine is None or self._process is None or self._stopping:
            raise Disconnected("no engine")
        engine = self._engine

        found = await self._call(self._process, lambda: ask(engine))
        await asyncio.sleep(self._random.random() * 0.01)
        return found

    async def _call(self, process: Process, work: Callable[[], Awaitable[T]]) -> T:
        answer: asyncio.Future[T] = self._loop.create_future()
        self._count += 1
        number = self._count
        self._pending[number] = answer

        async def doing() -> None:
            try:
                result = await work()
            except Exception as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)

        self._loop.spawn(process, doing())
        try:
            return await answer
        finally:
            del self._pending[number]

    def crash(self, why: str) -> None:
        """The engine is gone, in the middle of whatever it does."""
        if self._process is None or not self._process.alive:
            return
        self.crashes += 1
        self._trace.note(f"{self._process.name} CRASHES {why}")
        self._end(self._process)

    def crash_soon(self, callbacks: int) -> None:
        """The same when the engine has taken so many steps more, wherever it is then."""
        if self._process is not None:
            self._loop.interrupt(self._process, callbacks, lambda: self.crash("at any place"))

    async def stop(self) -> None:
        """The engine ends in order; the supervisor starts another."""
        if self._engine is None or self._process is None or self._stopping:
            return
        process, engine = self._process, self._engine
        self._stopping = True
        self._trace.note(f"{process.name} stops")
        try:
            async with asyncio.timeout(_STOP_S):
                await self._call(process, lambda: engine.__aexit__(None, None, None))
        except (Disconnected, TimeoutError) as error:
            self._trace.note(f"{process.name} did not stop in order: {type(error).__name__}")
        finally:
            self._stopping = False
            if process.alive:
                self._end(process)

    def _end(self, process: Process) -> None:
        self._loop.kill(process)
        self._engine = None
        for answer in list(self._pending.values()):
            if not answer.done():
                answer.set_exception(Disconnected("the engine is gone"))
        self._down.set()
