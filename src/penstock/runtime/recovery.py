"""What an engine does before it is ready: takes up everything that another one, or this one before, left behind."""

import asyncio
from collections.abc import Collection

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import ANSWERS_FIRST_MS, COMMIT_BACKOFF_MS, INBOX_PAGE, MAX_COMMIT_BACKOFF_MS
from penstock.runtime.parts import Parts


async def take_up(parts: Parts, partitions: Collection[int] | None, log: structlog.stdlib.BoundLogger) -> None:
    """Waiting messages first, so that an answer from before a crash beats its timeout; then calls and pushes.

    Deadlines come last: the timers read them from the store, and none fires before the messages are there. What was
    taken up in part, because the store failed, may be taken up again.
    """
    parts.inbox.look_again()
    await parts.inbox.read()
    calls = await _calls(parts, partitions, log)
    parts.timers.look_again()
    parts.pushing.look_again()
    log.info("recovered", calls=calls)


async def _calls(parts: Parts, partitions: Collection[int] | None, log: structlog.stdlib.BoundLogger) -> int:
    """Begins every call again that a run waits for, with the key it had."""
    count, after = 0, ""
    unread: list[str] = []
    unheard: list[str] = []
    while ids := await parts.store.calling_runs(after, INBOX_PAGE, partitions):
        for run_id in ids:
            if parts.turns.boxes.expects(run_id):
                unheard.append(run_id)
                continue
            try:
                count += await _calls_of(parts, run_id)
            except InfrastructureError as error:
                log.error("run cannot be read", run_id=run_id, reason=str(error))
                unread.append(run_id)
        after = ids[-1]
    if unread:
        parts.turns.spawn(_calls_later(parts, unread))
    if unheard:
        parts.turns.spawn(_calls_once_heard(parts, unheard))
    return count


async def _calls_once_heard(parts: Parts, run_ids: list[str]) -> None:
    """What waits for these runs may be the answers of their calls: those are not made again then."""
    try:
        async with asyncio.timeout(ANSWERS_FIRST_MS / 1000):
            for run_id in run_ids:
                await parts.turns.caught_up(run_id)
    except TimeoutError:
        pass
    await _calls_later(parts, run_ids, 0)


async def _calls_of(parts: Parts, run_id: str) -> int:
    read = await parts.live.read(run_id)
    live = parts.live.cached(run_id) or read  # it may have moved meanwhile
    if live is None or not parts.shares.owns(run_id):
        return 0
    for invoke in live.state.calls:
        parts.dispatch.invoke(run_id, live.state.workflow, invoke)
    return len(live.state.calls)


async def _calls_later(parts: Parts, run_ids: list[str], pause_ms: int = COMMIT_BACKOFF_MS) -> None:
    """Runs that could not be read hold up no others; their calls begin when they can be."""
    while run_ids:
        await asyncio.sleep(pause_ms / 1000)
        pause_ms = min(max(2 * pause_ms, COMMIT_BACKOFF_MS), MAX_COMMIT_BACKOFF_MS)
        unread: list[str] = []
        for run_id in run_ids:
            try:
                await _calls_of(parts, run_id)
            except InfrastructureError:
                unread.append(run_id)
        run_ids = unread
