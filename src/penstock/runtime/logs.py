"""Structured logs on standard error: what happened to which run and task, never payloads, never secrets."""

import logging
import sys
from typing import Final, cast

import structlog

from penstock.runtime.settings import Settings

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def make_log(settings: Settings) -> structlog.stdlib.BoundLogger:
    """A logger of its own: nothing global is configured."""
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        # The plain traceback: the default one also prints local variables, which may hold payloads and secrets.
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    processors: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        render,
    ]
    if settings.log_format != "json":
        processors.remove(structlog.processors.format_exc_info)
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
    )
    return cast("structlog.stdlib.BoundLogger", logger)
