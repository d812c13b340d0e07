"""What one part of the demo shows while it runs: a live table on a terminal, now and then a line elsewhere."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table

from examples.demo.api import Api, Refused
from examples.demo.call_log import CallLog

REFRESH_S: Final = 0.25
LINE_INTERVAL_S: Final = 1.0
COLUMNS: Final = ("engine", "sent", "running", "completed", "faulted", "calls", "repeated")
UNDER_WAY: Final = ("pending", "running", "waiting")


@dataclass
class Progress:
    """The figures of one part. `engine` says how the engine is; `statuses` counts runs when it was last asked."""

    workflow: str
    calls: CallLog
    engine: str = "up"
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])

    @property
    def completed(self) -> int:
        return self.statuses["completed"]

    def figures(self) -> Sequence[str]:
        """One value for each of `COLUMNS`."""
        running = sum(self.statuses[status] for status in UNDER_WAY)
        faulted = self.statuses["faulted"] + self.statuses["cancelled"]
        numbers = (self.sent, running, self.completed, faulted, self.calls.received, self.calls.repeated)
        return (self.engine, *(str(number) for number in numbers))


class Board:
    """Asks the engine how the runs are and shows it, as long as its `async with` block lasts."""

    def __init__(self, console: Console, api: Api, progress: Progress) -> None:
        self._console = console
        self._api = api
        self._progress = progress
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(self._table(), console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
        elif exception == (None, None, None):
            self._print_line()

    async def refresh(self) -> None:
        """Reads the statuses of the runs; leaves them as they were while the engine is away."""
        try:
            runs = await self._api.runs(self._progress.workflow)
        except (aiohttp.ClientError, TimeoutError, Refused):
            return
        self._progress.statuses = Counter(run["status"] for run in runs)

    async def _follow(self) -> None:
        shown_at = asyncio.get_running_loop().time()
        while True:
            await self.refresh()
            now = asyncio.get_running_loop().time()
            if self._live is not None:
                self._live.update(self._table(), refresh=True)
            elif now - shown_at >= LINE_INTERVAL_S:
                shown_at = now
                self._print_line()
            await asyncio.sleep(REFRESH_S)

    def _table(self) -> Table:
        table = Table(*COLUMNS, border_style="dim")
        for column in table.columns[1:]:
            column.justify = "right"
        table.columns[0].min_width = len("killed by SIGKILL")
        table.add_row(*self._progress.figures())
        return table

    def _print_line(self) -> None:
        engine, *numbers = self._progress.figures()
        told = "  ".join(f"{name} {number}" for name, number in zip(COLUMNS[1:], numbers, strict=True))
        self._console.print(f"  {told}  engine {engine}", highlight=False, soft_wrap=True)
