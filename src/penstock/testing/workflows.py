"""Small random workflows over one shape of data: `{n, order}` goes in and comes out of every task.

*Steady* ones give the same output whatever goes wrong around them. *Wild* ones race, time out and wait for what
may never come: they only have to keep the rules.
"""

from random import Random
from typing import Final

from penstock.model.json_value import Json

NAMESPACE: Final = "sim"
Document = dict[str, Json]
_KEEP: Final = {"order": "${ .order }"}
_ORDER: Final = {"from": "${ .data.order }", "expect": "${ .order }"}
_NUMBER: Final = {"from": "${ .data.n }", "expect": "${ .n }"}


class Plan:
    """A workflow, and the types of the events that one run of it waits for, with how many of each."""

    def __init__(self, name: str, tasks: list[Json], *, steady: bool, waits_for: dict[str, int]) -> None:
        self.name = name
        self.steady = steady
        self.waits_for = waits_for
        self.document: Document = {
            "document": {"dsl": "1.0.3", "namespace": NAMESPACE, "name": name, "version": "1.0.0"},
            "do": tasks,
        }


def generate(random: Random, count: int) -> list[Plan]:
    """`count` workflows; later ones may run the earlier ones."""
    plans: list[Plan] = []
    for number in range(count):
        plans.append(_Generator(random, number, plans).plan())
    return plans


class _Generator:
    def __init__(self, random: Random, number: int, earlier: list[Plan]) -> None:
        self._random = random
        self._number = number
        self._children = [plan for plan in earlier if plan.steady]
        self._waits_for: dict[str, int] = {}
        self._names = 0
        self._steady = random.random() < 0.75

    def plan(self) -> Plan:
        tasks = self._tasks(self._random.randint(1, 4), depth=0, once=True)
        name = f"{'steady' if self._steady else 'wild'}-{self._number}"
        return Plan(name, tasks, steady=self._steady, waits_for=self._waits_for)

    def _tasks(self, count: int, *, depth: int, once: bool) -> list[Json]:
        """`once`: whether these tasks run at most once in a run, so that they may wait for an event."""
        tasks: list[Json] = []
        for _ in range(count):
            self._names += 1
            tasks.append({f"t{self._names}": self._task(depth, once)})
        return tasks

    def _task(self, depth: int, once: bool) -> Json:
        kinds = [_set, _set_by_jq, _call, _large, _wait, self._shaky, self._refused]
        if once:
            kinds += [self._listen, self._twice, self._collect, self._both, self._emit]
        if self._children:
            kinds += [self._child, self._child]
        if depth < 2:
            nested = [self._do, self._for, self._fork, self._handed_over]
            task = self._random.choice([*nested, *kinds] if self._random.random() < 0.6 else kinds)
            if task in nested:
                return task(depth, once)  # type: ignore[operator, call-arg]
        else:
            task = self._random.choice(kinds)
        made = task(self._random)  # type: ignore[call-arg]
        return made if self._steady else self._wildly(made)

    def _wildly(self, task: Json) -> Json:
        """The same with a deadline that may come first."""
        if self._random.random() < 0.4:
            task = {**task, "timeout": {"after": {"seconds": self._random.randint(1, 10)}}}
        return task

    # Nested

    def _do(self, depth: int, once: bool) -> Json:
        return {"do": self._tasks(self._random.randint(1, 3), depth=depth + 1, once=once)}

    def _for(self, depth: int, once: bool) -> Json:
        items = list(range(self._random.randint(1, 3)))
        return {"for": {"each": "i", "in": items}, "do": self._tasks(2, depth=depth + 1, once=False)}

    def _fork(self, depth: int, once: bool) -> Json:
        branches = self._tasks(self._random.randint(2, 3), depth=depth + 1, once=once)
        if not self._steady and self._random.random() < 0.6:
            return {"fork": {"compete": True, "branches": branches}}
        total = " + ".join(f".[{place}].n" for place in range(len(branches)))
        return {"fork": {"branches": branches}, "output": {"as": {"n": f"${{ {total} }}", "order": "${ .[0].order }"}}}

    def _handed_over(self, depth: int, once: bool) -> Json:
        """What one branch emits, the other waits for; by `n`, too, for an earlier run of the order emitted the like."""
        if not once:
            return _set(self._random)
        type_ = self._type("inner")
        emit = {"emit": {"event": {"with": _emitted(type_)}}, "output": {"as": {"n": "${ $input.n }", **_INPUT_ORDER}}}
        heard = {"with": {"type": type_}, "correlate": {"order": _ORDER, "n": _NUMBER}}
        listen = _listening({"one": heard}, "${ $input.n + .[0].n }")
        branches: list[Json] = [{"hear": listen}, {"say": {"do": [{"pause": _wait(self._random)}, {"emit": emit}]}}]
        self._random.shuffle(branches)
        total = {"n": "${ .[0].n + .[1].n }", "order": "${ .[0].order }"}
        return {"fork": {"branches": branches}, "output": {"as": total}}

    # Events

    def _type(self, word: str) -> str:
        self._names += 1
        return f"{word}.{self._number}.{self._names}"

    def _expected(self, count: int = 1) -> str:
        type_ = self._type("outer")
        self._waits_for[type_] = count
        return type_

    def _listen(self, _: Random) -> Json:
        return _listening({"one": _filter(self._expected())}, "${ $input.n + .[0].n }")

    def _twice(self, random: Random) -> Json:
        """Two listeners one after the other: an event that comes while the first is there may be for the second."""
        type_ = self._expected(2)
        first, second = (_listening({"one": _filter(type_)}, "${ $input.n + .[0].n }") for _ in range(2))
        between: list[Json] = [{"pause": _wait(random)}] if random.random() < 0.5 else []
        return {"do": [{"first": first}, *between, {"second": second}]}

    def _both(self, _: Random) -> Json:
        filters: list[Json] = [_filter(self._expected()), _filter(self._expected())]
        return _listening({"all": filters}, "${ $input.n + .[0].n + .[1].n }")

    def _collect(self, random: Random) -> Json:
        count = random.randint(1, 3)
        total = " + ".join(f".[{place}].n" for place in range(count))
        to = {"any": [_filter(self._expected(count))], "until": f"${{ length >= {count} }}"}
        return _listening(to, f"${{ $input.n + {total} }}")

    def _emit(self, _: Random) -> Json:
        event = _emitted(self._type("said"))
        return {"emit": {"event": {"with": event}}, "output": {"as": {"n": "${ $input.n }", **_INPUT_ORDER}}}

    # Runs, and calls that fail

    def _child(self, random: Random) -> Json:
        child = random.choice(self._children)
        self._waits_for |= child.waits_for
        workflow = {"namespace": NAMESPACE, "name": child.name, "version": random.choice(["1.0.0", "latest"])}
        return {"run": {"workflow": workflow | {"input": {"n": "${ .n }", **_KEEP}}}}

    def _shaky(self, _: Random) -> Json:
        retry = {"delay": {"milliseconds": 700}, "limit": {"attempt": {"count": 5000}}}
        call = {**_http("shaky"), "timeout": {"after": {"seconds": 20}}}
        return {"try": [{"call": call}], "catch": {"retry": retry}}

    def _refused(self, _: Random) -> Json:
        call = _http("refuse")
        return {"try": [{"call": call}], "catch": {"errors": {"with": {"status": 422}}, "do": [{"mend": _add(10)}]}}


_INPUT_ORDER: Final = {"order": "${ $input.order }"}


def _add(number: int) -> Json:
    return {"set": {"n": f"${{ .n + {number} }}", **_KEEP}}


def _set(random: Random) -> Json:
    return _add(random.randint(1, 9))


def _set_by_jq(_: Random) -> Json:
    return {"set": {"n": "${ [limit(2; .n, 1, 5)] | add }", **_KEEP}}


def _call(_: Random) -> Json:
    return _http("steady")


def _large(_: Random) -> Json:
    """Takes an answer that is stored by reference through two tasks."""
    large = {**_http("large"), "output": {"as": "${ . }"}}
    return {
        "do": [{"large": large}, {"pause": {"wait": {"seconds": 1}, "export": {"as": "${ . }"}}}, {"less": _add(1)}]
    }


def _http(kind: str) -> Json:
    """A call that waits for days: outages must not fail it."""
    endpoint = {"uri": f"http://service.test/{kind}"}
    given = {"method": "post", "endpoint": endpoint, "body": {"n": "${ .n }", **_KEEP}}
    return {"call": "http", "with": given, "timeout": {"after": {"days": 3}}}


def _wait(random: Random) -> Json:
    return {"wait": {"milliseconds": random.choice([1, 50, 900, 3_000, 12_000])}}


def _filter(type_: str) -> Json:
    return {"with": {"type": type_}, "correlate": {"order": _ORDER}}


def _listening(to: Json, total: str) -> Json:
    return {"listen": {"to": to}, "output": {"as": {"n": total, **_INPUT_ORDER}}}


def _emitted(type_: str) -> Json:
    data = {"n": "${ .n }", "order": "${ .order }"}
    return {"type": type_, "source": "/sim", "penstockttl": 80_000, "data": data}
