"""The event loop of commands that run an engine."""

import asyncio


def event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one, else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - costs time to import, and is not there on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
