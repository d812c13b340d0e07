"""The tasks that simulated workflows are made of: each takes `{n, order}` and gives `{n, order}`."""

from collections.abc import Sequence
from random import Random
from typing import Final

from penstock.model.json_value import Json

NAMESPACE: Final = "sim"
KEEP: Final = {"order": "${ .order }"}
INPUT_ORDER: Final = {"order": "${ $input.order }"}
LONG: Final = {"after": {"days": 2}}
"""A timeout that never comes."""
_ORDER: Final = {"from": "${ .data.order }", "expect": "${ .order }"}
_NUMBER: Final = {"from": "${ .data.n }", "expect": "${ .n }"}
_ODD: Final = {"type": "https://sim.test/errors/odd", "status": 418, "title": "Odd"}
TTL_S: Final = 80_000
"""How long events last that somebody waits for: longer than any simulation, by every clock."""
_BACKOFFS: Final[Sequence[Json]] = ({}, {"backoff": {"linear": {}}}, {"backoff": {"constant": {}}})


def add(number: int) -> Json:
    return {"set": {"n": f"${{ .n + {number} }}", **KEEP}}


def plain(random: Random) -> Json:
    """Something that needs nobody else."""
    if random.random() < 0.3:
        return {"set": {"n": "${ [limit(2; .n, 1, 5)] | add }", **KEEP}}
    return add(random.randint(1, 9))


def wait(random: Random) -> Json:
    return {"wait": {"milliseconds": random.choice([1, 50, 900, 3_000, 12_000])}}


def long_wait(random: Random) -> Json:
    """Longer than deadlines are kept in memory."""
    return {"wait": {"seconds": random.choice([62, 75])}}


def call(_: Random) -> Json:
    return http("steady")


def large(random: Random) -> Json:
    """Takes a value that is stored by reference through two tasks: an answer, or one that the run makes."""
    made: Json = {"set": {"n": "${ .n }", **KEEP, "blob": "${ [range(900)] | map(tostring) | add }"}}
    first = {**http("large"), "output": {"as": "${ . }"}} if random.random() < 0.5 else made
    pause = {"wait": {"seconds": 1}, "export": {"as": "${ . }"}}
    return {"do": [{"large": first}, {"pause": pause}, {"less": add(1)}]}


def switched(random: Random) -> Json:
    """Goes on at the end of its list, or with the next task."""
    cases: list[Json] = [{"much": {"when": f"${{ .n > {random.randint(5, 40)} }}", "then": "last"}}]
    if random.random() < 0.5:
        cases.append({"other": {"then": random.choice(["continue", "exit"])}})
    return {"do": [{"choose": {"switch": cases}}, {"between": add(3)}, {"last": add(100)}]}


def shaky(random: Random) -> Json:
    """A call that is tried until it succeeds."""
    retry = {
        "delay": {"milliseconds": random.choice([100, 700])},
        "limit": {"attempt": {"count": 5000}},
        **_backoff(random),
    }
    attempt = {**http("shaky"), "timeout": {"after": {"seconds": 20}}}
    return {"try": [{"call": attempt}], "catch": {"retry": retry}}


def refused(_: Random) -> Json:
    return {
        "try": [{"call": http("refuse")}],
        "catch": {"errors": {"with": {"status": 422}}, "do": [{"mend": add(10)}]},
    }


def raised(random: Random) -> Json:
    """Fails every time: after a few attempts its handler goes on."""
    retry = {
        "delay": {"milliseconds": random.choice([1, 400])},
        "limit": {"attempt": {"count": random.randint(1, 3)}},
        **_backoff(random),
    }
    before = [{"before": wait(random)}] if random.random() < 0.5 else []
    catch = {"errors": {"with": {"status": 418}}, "retry": retry, "do": [{"mend": add(20)}]}
    return {"try": [*before, {"fail": failing()}], "catch": catch}


def failing() -> Json:
    return {"raise": {"error": _ODD}}


def _backoff(random: Random) -> dict[str, Json]:
    chosen: dict[str, Json] = {**random.choice(_BACKOFFS)}
    if random.random() < 0.5:
        chosen["jitter"] = {"from": {"milliseconds": 1}, "to": {"milliseconds": 600}}
    return chosen


def http(kind: str) -> dict[str, Json]:
    """A call that waits for days: outages must not fail it."""
    endpoint = {"uri": f"http://service.test/{kind}"}
    given = {"method": "post", "endpoint": endpoint, "body": {"n": "${ .n }", **KEEP}}
    return {"call": "http", "with": given, "timeout": {"after": {"days": 3}}}


# Events


def heard(type_: str, *, by_number: bool = False, anyone: bool = False) -> Json:
    """A filter: events of the order, by `n` too; or of the order that the first event names."""
    correlate: dict[str, Json] = {"order": {"from": _ORDER["from"]} if anyone else _ORDER}
    if by_number:
        correlate["n"] = _NUMBER
    return {"with": {"type": type_}, "correlate": correlate}


def listening(to: Json, total: str, foreach: Json = None) -> dict[str, Json]:
    task: dict[str, Json] = {"listen": {"to": to}, "output": {"as": {"n": total, **INPUT_ORDER}}}
    return task if foreach is None else {**task, "foreach": foreach}


def emitting(type_: str) -> Json:
    data = {"n": "${ .n }", "order": "${ .order }"}
    event = {"type": type_, "source": "/sim", "penstockttl": TTL_S, "data": data}
    return {"emit": {"event": {"with": event}}, "output": {"as": {"n": "${ $input.n }", **INPUT_ORDER}}}
