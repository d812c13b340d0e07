"""A run whose call to a capability is offered to tools by event, and what these tools say."""

from penstock.kernel.commands import Offer, PublishEvent, Subscribe
from penstock.kernel.messages import CallOffered, EventArrived, EventMatch
from penstock.kernel.state import OfferedWork
from penstock.kernel.topics import TASK_TOPIC, task_key
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from tests.kernel.world import Run, given

CALL: dict[str, Json] = {"check": {"call": "checknumber", "with": {"n": 7}}}
START_MS = 10_000
TOTAL_MS = 60_000


def calling(*, retries: int = 0, **members: Json) -> Run:
    """A run that waits for the capability `checknumber`, at most a minute; `retries` around it when there are some."""
    call = {"check": {**CALL["check"], "timeout": {"after": {"milliseconds": TOTAL_MS}}}}
    retry = {"delay": {"seconds": 1}, "limit": {"attempt": {"count": retries}}}
    do = [{"again": {"try": [call], "catch": {"retry": retry}}}] if retries else [call]
    return given(do, **members).start({})


def offer(run: Run, *tools: str, start_by: int | None = None, **more: Json) -> Run:
    """Offers the oldest call that waits."""
    start_by = run.at + START_MS if start_by is None else start_by
    call_id = run.live.calls[0].call_id
    message = CallOffered(
        at=run.at, call_id=call_id, capability="checknumber", tools=tools, start_by=start_by, **more
    )  # fmt: skip
    return run.send(message)


def offered(*tools: str, **more: Json) -> Run:
    """A run whose call was just offered to these tools."""
    return offer(calling(), *tools, **more)


def say(run: Run, said: str, tool: str = "", lease: Json = None, data: Json = None, **more: Json) -> Run:
    """One event of a tool about the last offer, delivered to who listens for it, in the way of the router."""
    last = offers(run)[-1]
    attributes = {"penstocktool": tool or None, "penstocklease": lease, **more}
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": f"{len(run.journal)}-{said}-{tool}-{lease}",
        "source": "/somewhere",
        "type": f"checknumber.{said}",
        "triggeredid": last.call_id,
        **{name: value for name, value in attributes.items() if value is not None},
    }
    if data is not None:
        event["data"] = data
    return deliver(run, event)


def deliver(run: Run, event: Json) -> Run:
    """To the last subscription of the run's tasks, whether its task is still there or not."""
    entry = next(c.entry for c in reversed(run.commands) if isinstance(c, Subscribe))
    keys = {name: Value(None) for name in TASK_TOPIC.key_names}
    return run.send(EventArrived(at=run.at, event=Value(event), matches=(EventMatch(entry, 0, keys),)))


def offers(run: Run) -> list[Offer]:
    return [command for command in run.commands if isinstance(command, Offer)]


def published(run: Run) -> list[dict[str, Json]]:
    return [command.event.data for command in run.commands if isinstance(command, PublishEvent)]


def work(run: Run) -> OfferedWork | None:
    """The offered work that the run waits for."""
    return next((f.work for f in run.live.frames.values() if isinstance(f.work, OfferedWork)), None)


def told(run: Run) -> list[str]:
    """The facts about tools, as `what tool token`."""
    about = ("task.tool_started", "task.tool_finished", "task.progress", "task.superseded", "task.ignored")
    return [
        f"{fact.type.removeprefix('task.')} {fact.detail['tool']} {fact.detail['token']}"
        for fact in run.facts
        if fact.type in about
    ]


def key(run: Run) -> str:
    return task_key(offers(run)[-1].call_id)
