"""An event loop without I/O, threads or a real clock: callbacks run in order, and time jumps to the next timer.

Two runs that schedule the same callbacks are the same run: ready callbacks are first in, first out (as asyncio
promises), timers of the same instant in the order that `tie` gives, and tasks hash by their number, so that
even a set of tasks has one order.

Everything runs inside a *process*: what a process schedules carries it (by a context variable). `kill` ends one as
a crash would: none of its callbacks runs again, not even a `finally`.
"""

import asyncio
import contextlib
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, Final, TypeVar

T = TypeVar("T")
Work = Coroutine[Any, Any, T] | Generator[Any, Any, T]

CALLBACK_S: Final = 0.000_005
"""What each callback takes: without it a loop that never waits would stand still in time."""


class Stuck(Exception):
    """Nothing is left to happen, or too much happens without an end."""


class Process:
    """Something that can crash as a whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.held: list[asyncio.Handle] = []


_PROCESS: Final[ContextVar[Process | None]] = ContextVar("penstock_simulated_process", default=None)


def current_process() -> Process | None:
    """The process that runs now; None outside of any."""
    return _PROCESS.get()


class SimulatedTask(asyncio.Task[T]):
    """A task whose place in sets does not depend on its address."""

    def __init__(self, number: int, work: Work[T], loop: "SimulatedLoop", context: Context | None) -> None:
        self.number = number
        super().__init__(work, loop=loop, name=f"task {number}", context=context)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Give `tie` a seeded function; `most_callbacks` ends a run that would go on for ever."""

    def __init__(self, tie: Callable[[], float] = lambda: 0.0, *, most_callbacks: int = 3_000_000) -> None:
        self._tie = tie
        self._left = most_callbacks
        self._now = 0.0
        self._count = 0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, float, int, asyncio.TimerHandle]] = []
        self._tasks: list[SimulatedTask[Any]] = []
        self._running = False
        self._over = False
        self._interrupts: dict[Process, tuple[int, Callable[[], None]]] = {}
        self.failures: list[str] = []
        """What nobody else took notice of: exceptions in callbacks, results that were never looked at."""

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._over

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self._over:
            self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + max(0.0, delay), callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self._over:
            self._count += 1
            heapq.heappush(self._timers, (when, self._tie(), self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap until its instant and is passed over then."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Work[T], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        self._count += 1
        task = SimulatedTask(self._count, coro, self, context)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._over:
            self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    # Processes

    def spawn(self, process: Process, work: Work[T]) -> asyncio.Task[T]:
        """A task of `process`; so is everything that it begins."""
        context = Context()
        context.run(_PROCESS.set, process)
        return self.create_task(work, context=context)

    def kill(self, process: Process) -> None:
        """Nothing of it runs again."""
        process.alive = False
        process.held.clear()
        self._interrupts.pop(process, None)

    def pause(self, process: Process) -> None:
        """It stands still, as a machine does that is put to sleep: what it would do waits."""
        process.paused = True

    def resume(self, process: Process) -> None:
        """It goes on, with everything that came due meanwhile, and never learns why it is late."""
        process.paused = False
        held, process.held = process.held, []
        self._ready.extend(held)

    def interrupt(self, process: Process, after: int, act: Callable[[], None]) -> None:
        """Calls `act` when the process has run `after` more callbacks: between any two of them, even of one instant."""
        if process.alive:
            self._interrupts[process] = (after, act)

    def _interrupted(self, process: Process) -> None:
        left, act = self._interrupts.pop(process)
        if left > 0:
            self._interrupts[process] = (left - 1, act)
        else:
            act()

    # Running

    def run(self, work: Work[T]) -> T:
        """Runs until `work` is done. Raises `Stuck` when it never will be."""
        before = events._get_running_loop()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        events._set_running_loop(self)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._running = True
        try:
            task = self.create_task(work)
            while not task.done():
                self._once()
            return task.result()
        finally:
            self._running = False
            events._set_running_loop(before)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def _once(self) -> None:
        if not self._ready:
            self._next_instant()
        handle = self._ready.popleft()
        process = handle._context.get(_PROCESS)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        if handle.cancelled() or (process is not None and not process.alive):
            return
        if process is not None and process.paused:
            process.held.append(handle)
            return
        if process in self._interrupts:
            self._interrupted(process)
            if not process.alive:
                return
        self._left -= 1
        if self._left < 0:
            raise Stuck(f"more happens than this simulation allows; it is at {self._now:.3f} s")
        self._now += CALLBACK_S
        handle._run()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def _next_instant(self) -> None:
        while self._timers and not self._ready:
            when, _, _, handle = heapq.heappop(self._timers)
            if handle.cancelled():
                continue
            self._now = max(self._now, when)
            self._ready.append(handle)
        if not self._ready:
            raise Stuck(f"nothing is left to happen at {self._now:.3f} s")

    def close(self) -> None:
        """Lets go of what still waits. Its `finally` blocks run now, when they can do no harm."""
        self._over = True
        self._ready.clear()
        self._timers.clear()
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        self._tasks.clear()
