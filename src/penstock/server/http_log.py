"""What the HTTP library says, in the server's own log: one line each, without the bytes that a caller sent."""

import logging

import structlog


class _Forward(logging.Handler):
    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        kind = type(error).__name__ if error is not None else ""
        self._log.warning("http", said=record.getMessage()[:200], error=kind)


def http_logger(log: structlog.stdlib.BoundLogger) -> logging.Logger:
    """A logger for the library that belongs to nobody else: nothing global is configured."""
    logger = logging.Logger("penstock.http", logging.WARNING)  # noqa: LOG001 - one per server, not one per process
    logger.addHandler(_Forward(log))
    return logger
