"""Structured logs on standard error: what happened to which run and task, never payloads, never secrets."""

import logging
import sys
import traceback
from typing import Final, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from penstock.runtime.settings import Settings

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FRAMES: Final = 8


def make_log(settings: Settings) -> structlog.stdlib.BoundLogger:
    """A logger of its own: nothing global is configured."""
    as_json = settings.log_format == "json"
    render: Processor = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        place_of_error,
        render,
    ]
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
    )
    # Bound once: what `wrap_logger` gives binds anew for every entry, even for one that the level drops.
    return cast("structlog.stdlib.BoundLogger", logger.bind())


def place_of_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception as its type and its places in the code: its message and variables may hold payloads."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["error"] = type(error).__name__
        event["where"] = " < ".join(
            f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in reversed(frames)
        )
    return event
