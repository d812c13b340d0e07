"""What happened, in order: one line each, with the simulated time. Two equal traces are one and the same run."""

import asyncio
from collections.abc import Callable, MutableMapping
from hashlib import blake2b
from typing import Any, cast

import structlog

from penstock.model.json_value import Json

LogWitness = Callable[[str, BaseException | None], None]
"""Takes each event of the log."""


class Trace:
    """Keeps every line; a simulation is short."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.lines: list[str] = []

    def note(self, what: str) -> None:
        self.lines.append(f"{self._loop.time():10.3f}  {what}")

    @property
    def digest(self) -> str:
        """The same for the same trace."""
        return blake2b("\n".join(self.lines).encode(), digest_size=8).hexdigest()

    def logger(self, noticed: LogWitness) -> structlog.stdlib.BoundLogger:
        """A log for the engine: its lines are lines of the trace."""

        def record(_: object, level: str, event: MutableMapping[str, Any]) -> Json:
            error = event.pop("exc_info", None)
            words = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
            blame = f" {type(error).__name__}: {error}" if isinstance(error, BaseException) else ""
            self.note(f"log {level}: {event['event']} {words}{blame}")
            noticed(str(event["event"]), error if isinstance(error, BaseException) else None)
            raise structlog.DropEvent

        wrapper = structlog.make_filtering_bound_logger(20)
        logger = structlog.wrap_logger(None, processors=[record], wrapper_class=wrapper)
        return cast("structlog.stdlib.BoundLogger", logger)
