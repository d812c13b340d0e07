"""All that is asked from outside in one simulation: which runs are started, which events published, what is done to
runs under way. Decided before anything runs, so that faults do not change what is asked."""

from random import Random
from typing import Final

import msgspec

from penstock.model.json_value import Json
from penstock.testing.ingredients import TTL_S
from penstock.testing.workflows import Plan

_BIG: Final = "an event larger than what is kept in a state " * 120


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A run to start: when (seconds), what, and the idempotency key, which is also its order."""

    at_s: float
    key: str
    workflow: str
    n: int = 0
    steady: bool = True
    later_s: float = 0.0
    """How much later than asked for the run is to begin."""
    blob: str = ""


class Publication(msgspec.Struct, frozen=True):
    """An event to publish, `copies` times."""

    at_s: float
    event: dict[str, Json]
    copies: int


class Hold(msgspec.Struct, frozen=True):
    """Suspends the run of a start, some time after it was acknowledged, and resumes it."""

    key: str
    after_s: float
    held_s: float


class Cancellation(msgspec.Struct, frozen=True):
    key: str
    after_s: float


class Retrial(msgspec.Struct, frozen=True):
    """Retries the run of a start when it has ended. If that may never be, only `patience_s` are waited for."""

    key: str
    after_s: float
    patience_s: float | None


Control = Hold | Cancellation | Retrial


class Workload(msgspec.Struct, frozen=True):
    """All that is asked from outside."""

    plans: tuple[Plan, ...]
    starts: tuple[Start, ...]
    publications: tuple[Publication, ...]
    controls: tuple[Control, ...]


def workload_of(random: Random, plans: list[Plan], *, starts: int, over_s: float) -> Workload:
    """Starts of the plans, and every event that their steady runs wait for: before, while or after they listen."""
    begun: list[Start] = []
    published: list[Publication] = []
    controls: list[Control] = []
    for number in range(starts):
        plan = random.choice(plans)
        start = _start(random, plan, f"order-{number}", over_s)
        begun.append(start)
        for type_, count in plan.waits_for.items():
            if plan.steady or random.random() < 0.6:
                published += [_publication(random, start, type_, place, over_s) for place in range(count)]
        controls += _controls(random, start, over_s)
    noise = Start(at_s=0.0, key="nobody", workflow="")
    published += [_publication(random, noise, random.choice(_types(plans)), 9, over_s) for _ in range(3)]
    return Workload(tuple(plans), tuple(begun), tuple(published), tuple(controls))


def _start(random: Random, plan: Plan, key: str, over_s: float) -> Start:
    return Start(
        at_s=random.random() * over_s,
        key=key,
        workflow=plan.name,
        n=random.randint(0, 50),
        steady=plan.steady,
        later_s=random.choice([0.5, 8.0, 70.0]) if random.random() < 0.15 else 0.0,
        blob=_BIG if random.random() < 0.15 else "",
    )


def _controls(random: Random, start: Start, over_s: float) -> list[Control]:
    chosen: list[Control] = []
    after_s = random.random() * over_s / 2
    if random.random() < 0.2:
        chosen.append(Hold(start.key, after_s, random.random() * 8))
    if not start.steady and random.random() < 0.3:
        chosen.append(Cancellation(start.key, after_s))
    if random.random() < 0.2:
        chosen.append(Retrial(start.key, after_s, None if start.steady else over_s))
    return chosen


def _types(plans: list[Plan]) -> list[str]:
    return [type_ for plan in plans for type_ in plan.waits_for] or ["nothing"]


def _publication(random: Random, start: Start, type_: str, place: int, over_s: float) -> Publication:
    data: dict[str, Json] = {"order": start.key, "n": 1 + start.n}
    if random.random() < 0.1:
        data["blob"] = _BIG
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": f"{start.key}/{type_}/{place}",
        "source": "/outside",
        "type": type_,
        "data": data,
    }
    ttl_s = TTL_S if start.steady else random.choice([1, 5, 20, None])
    if ttl_s is not None:  # else as long as events wait that say nothing
        event["penstockttl"] = ttl_s
    at_s = max(0.0, start.at_s + random.uniform(-over_s / 4, over_s / 2))
    return Publication(at_s, event, random.choice([1, 1, 2, 3]))
