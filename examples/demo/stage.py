"""What both parts of the demo work with, and the crash that both of them suffer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
from rich.console import Console

from examples.demo.api import Api
from examples.demo.board import Board, Progress
from examples.demo.engine_process import EngineProcess
from examples.demo.gateway import Gateway

SENDERS: Final = 10
SEND_PAUSE_S: Final = 0.05  # work comes in over a while, so that some of it is on its way in at the crash
READERS: Final = 10
WATCH_INTERVAL_S: Final = 0.05
DEAD_FOR_S: Final = 0.3

Item = TypeVar("Item")
Result = TypeVar("Result")


class Untrue(Exception):
    """The demo's claim does not hold; the message says what was found instead."""


@dataclass(frozen=True)
class Stage:
    """The processes, and where to print."""

    session: aiohttp.ClientSession
    engine: EngineProcess
    gateway: Gateway
    api: Api
    console: Console

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def prove(self, claim: str, mistakes: Sequence[str]) -> None:
        """Prints a claim that holds; raises `Untrue` with the first mistakes when it does not."""
        if mistakes:
            shown = "\n".join(f"    {mistake}" for mistake in mistakes[:5])
            raise Untrue(f"not true: {claim}\n{shown}\n    ({len(mistakes)} in all)")
        self.say(f"  [green]✔[/green] {claim}")

    async def crash(self, progress: Progress, calls: int) -> None:
        """Kills the engine once `calls` calls were answered, and starts it again on the same port and file."""
        await progress.calls.reached(calls)
        under_way = progress.calls.under_way
        self.engine.kill()
        progress.engine = "killed by SIGKILL"
        self.say(f"  [red]kill -9[/red]: {progress.sent} acknowledged so far, {under_way} calls under way")
        await asyncio.sleep(DEAD_FOR_S)
        seconds = await self.engine.start(self.session)
        progress.engine = "up again"
        self.say(f"  started again on the same file, ready in {seconds:.1f} s")

    async def all_ended(self, board: Board, progress: Progress, expected: int) -> None:
        """Returns once no run is under way any more."""
        while sum(progress.statuses[status] for status in ("completed", "faulted", "cancelled")) < expected:
            await board.refresh()
            await asyncio.sleep(WATCH_INTERVAL_S)


async def spread(items: Sequence[Item], work: Callable[[Item], Awaitable[Result]], *, workers: int) -> list[Result]:
    """`work` on every item, `workers` at a time; the results in the order of the items."""
    places = asyncio.Semaphore(workers)

    async def one(item: Item) -> Result:
        async with places:
            return await work(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def outputs_of(api: Api, run_ids: dict[str, str]) -> dict[str, Any]:
    """The output of each run, by key of its start."""

    async def output(key: str) -> tuple[str, Any]:
        return key, (await api.get(f"/api/v1/runs/{run_ids[key]}")).get("output")

    return dict(await spread(list(run_ids), output, workers=READERS))


async def histories_of(api: Api, run_ids: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The lifecycle events of each run, by key of its start."""

    async def history(key: str) -> tuple[str, list[dict[str, Any]]]:
        return key, await api.history(run_ids[key])

    return dict(await spread(list(run_ids), history, workers=READERS))
