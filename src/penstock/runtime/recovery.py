"""What an engine does before it is ready: takes up everything that another one, or this one before, left behind."""

import structlog

from penstock.errors import InfrastructureError
from penstock.model.limits import INBOX_PAGE
from penstock.runtime.parts import Parts


async def recover(parts: Parts, log: structlog.stdlib.BoundLogger) -> None:
    """Waiting messages first, so that an answer from before a crash beats its timeout; then calls, then events.

    Deadlines come last: the timers read them from the store when they start.
    """
    await parts.secrets.load()
    await parts.directory.load()
    parts.inbox.look_again()
    await parts.inbox.read()
    calls = await _calls(parts, log)
    await parts.router.start()
    log.info("recovered", calls=calls)


async def _calls(parts: Parts, log: structlog.stdlib.BoundLogger) -> int:
    """Begins every call again that a run waits for, with the key it had."""
    count, after = 0, ""
    while ids := await parts.store.calling_runs(after, INBOX_PAGE):
        for run_id in ids:
            try:
                live = await parts.live.read(run_id)
            except InfrastructureError as error:
                log.error("run cannot be read", run_id=run_id, reason=str(error))
                continue
            for invoke in live.state.calls if live else ():
                assert live is not None
                parts.dispatch.invoke(run_id, live.state.workflow, invoke)
                count += 1
        after = ids[-1]
    return count
