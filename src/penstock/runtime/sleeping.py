"""Sleeping until an instant, or until something changes."""

import asyncio

from penstock.runtime.clock import Clock


async def sleep_until_changed(clock: Clock, until: int, changed: asyncio.Event) -> None:
    """Returns at `until` (milliseconds UTC), or when `changed` is set."""
    sleeping = asyncio.ensure_future(clock.sleep_until(until))
    waiting = asyncio.ensure_future(changed.wait())
    try:
        await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()  # not awaited: waiting here could swallow a cancellation of the very task that sleeps
        waiting.cancel()
