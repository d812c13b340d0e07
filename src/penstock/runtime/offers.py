"""Calls whose tools take work by event: they are not performed, the run offers them in a turn of its own.

The offer and the end of the call are one transaction, so that a call which was offered is never begun again; before
that transaction the call is in the state of its run, and after a crash this is asked for once more.
"""

from typing import cast

from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallOffered
from penstock.model.json_value import Json
from penstock.runtime.directory import Directory
from penstock.tools.contract import CallContext, PushTransport


def capability_of(invoke: Invoke) -> str:
    """The capability that a call names."""
    arguments: Json = invoke.arguments.data
    return str(cast("dict[str, Json]", arguments).get("name")) if isinstance(arguments, dict) else ""


async def offer_of(directory: Directory, invoke: Invoke, context: CallContext) -> CallOffered | None:
    """What the run is told to have the call offered; None when the call is performed.

    Prefix and start deadline of several tools are those of the first.
    """
    tools = await directory.offered_to(capability_of(invoke), context)
    if not tools:
        return None
    now, first = context.now_ms(), tools[0]
    return CallOffered(
        at=now,
        call_id=invoke.call_id,
        capability=first.capability,
        tools=tuple(tool.name for tool in tools),
        start_by=now + first.start_timeout_ms if first.start_timeout_ms else 0,
        prefix=first.prefix,
        pushed=tuple(tool.name for tool in tools if isinstance(tool.transport, PushTransport)),
    )
