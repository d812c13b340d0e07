"""Small random workflows over one shape of data: `{n, order}` goes in and comes out of every task.

*Steady* ones give the same output whatever goes wrong around them. *Wild* ones race, time out and wait for what
may never come: they only have to keep the rules.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from penstock.model.json_value import Json
from penstock.testing import ingredients
from penstock.testing.ingredients import (
    KEEP,
    LONG,
    NAMESPACE,
    add,
    emitting,
    failing,
    heard,
    listening,
    wait,
)

Document = dict[str, Json]
_Make = Callable[[Random], Json]
_Nest = Callable[[int, bool], Json]
_LEAVES: Final[tuple[_Make, ...]] = (
    ingredients.plain,
    ingredients.plain,
    ingredients.call,
    ingredients.wait,
    ingredients.large,
    ingredients.switched,
    ingredients.shaky,
    ingredients.refused,
    ingredients.raised,
)


class Plan:
    """A workflow, and the types of the events that one run of it waits for, with how many of each."""

    def __init__(self, name: str, body: Document, *, steady: bool, fails: bool, waits_for: dict[str, int]) -> None:
        self.name = name
        self.steady = steady
        self.fails = fails
        self.waits_for = waits_for
        self.document: Document = {
            "document": {"dsl": "1.0.3", "namespace": NAMESPACE, "name": name, "version": "1.0.0"},
            **body,
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
        fails = self._random.random() < 0.1
        if fails:
            tasks.append({"fail": failing()})
        body: Document = {"do": tasks}
        if self._random.random() < 0.3:
            body["timeout"] = {"after": {"days": 20} if self._steady else {"seconds": self._random.randint(5, 60)}}
        name = f"{'steady' if self._steady else 'wild'}-{self._number}"
        return Plan(name, body, steady=self._steady, fails=fails, waits_for=self._waits_for)

    def _tasks(self, count: int, *, depth: int, once: bool) -> list[Json]:
        """`once`: whether these tasks run at most once in a run, so that they may wait for an event."""
        tasks: list[Json] = []
        for _ in range(count):
            self._names += 1
            tasks.append({f"t{self._names}": self._task(depth, once)})
        return tasks

    def _task(self, depth: int, once: bool) -> Json:
        if depth < 2 and self._random.random() < 0.3:
            nested: list[_Nest] = [self._do, self._for, self._while, self._fork, self._handed_over, self._in_turn]
            return self._random.choice(nested)(depth, once)
        kinds: list[_Make] = list(_LEAVES)
        if once:
            kinds += [self._listen, self._twice, self._collect, self._both, self._either, self._until_told, self._each]
            kinds += [self._emit, ingredients.long_wait] if self._random.random() < 0.3 else [self._emit]
        if self._children:
            kinds += [self._child, self._child, self._detached]
        if not self._steady and once:
            kinds.append(self._anyone)
        return self._timed(self._random.choice(kinds)(self._random))

    def _timed(self, task: Json) -> Json:
        """The same with a deadline: in a wild workflow one that may come first."""
        if self._random.random() < 0.4 and "timeout" not in task:
            task = {**task, "timeout": LONG if self._steady else {"after": {"seconds": self._random.randint(1, 10)}}}
        return task

    # Nested

    def _do(self, depth: int, once: bool) -> Json:
        return {"do": self._tasks(self._random.randint(1, 3), depth=depth + 1, once=once)}

    def _for(self, depth: int, once: bool) -> Json:
        items = list(range(self._random.randint(1, 3)))
        return {"for": {"each": "i", "in": items}, "do": self._tasks(2, depth=depth + 1, once=False)}

    def _while(self, depth: int, once: bool) -> Json:
        """A loop that its condition ends."""
        most = self._random.randint(10, 60)
        body = [*self._tasks(1, depth=depth + 1, once=False), {"more": add(5)}]
        return {"for": {"each": "i", "in": [1, 2, 3, 4]}, "while": f"${{ .n < {most} }}", "do": body}

    def _fork(self, depth: int, once: bool) -> Json:
        branches = self._tasks(self._random.randint(2, 3), depth=depth + 1, once=once)
        if not self._steady and self._random.random() < 0.6:
            return {"fork": {"compete": True, "branches": branches}}
        total = " + ".join(f".[{place}].n" for place in range(len(branches)))
        return {"fork": {"branches": branches}, "output": {"as": {"n": f"${{ {total} }}", "order": "${ .[0].order }"}}}

    def _handed_over(self, depth: int, once: bool) -> Json:
        """What one branch emits, the other waits for; by `n`, too, for an earlier run of the order emitted the like."""
        if not once:
            return add(2)
        type_ = self._type("inner")
        listen = listening({"one": heard(type_, by_number=True)}, "${ $input.n + .[0].n }")
        say: list[Json] = [{"pause": wait(self._random)}, {"emit": emitting(type_)}]
        branches: list[Json] = [{"hear": listen}, {"say": {"do": say}}]
        self._random.shuffle(branches)
        total = {"n": "${ .[0].n + .[1].n }", "order": "${ .[0].order }"}
        return {"fork": {"branches": branches}, "output": {"as": total}}

    def _in_turn(self, depth: int, once: bool) -> Json:
        """A loop that waits for one event each time."""
        if not once:
            return add(4)
        count = self._random.randint(1, 3)
        body = [{"hear": listening({"one": heard(self._expected(count))}, "${ $input.n + .[0].n }")}]
        return {"for": {"each": "i", "in": list(range(count))}, "do": body}

    # Events

    def _type(self, word: str) -> str:
        self._names += 1
        return f"{word}.{self._number}.{self._names}"

    def _expected(self, count: int = 1) -> str:
        type_ = self._type("outer")
        self._waits_for[type_] = count
        return type_

    def _listen(self, _: Random) -> Json:
        return listening({"one": heard(self._expected())}, "${ $input.n + .[0].n }")

    def _anyone(self, _: Random) -> Json:
        """Whose event it is, the event says."""
        return listening({"one": heard(self._expected(), anyone=True)}, "${ $input.n + .[0].n }")

    def _twice(self, random: Random) -> Json:
        """Two listeners one after the other: an event that comes while the first is there may be for the second."""
        type_ = self._expected(2)
        first, second = (listening({"one": heard(type_)}, "${ $input.n + .[0].n }") for _ in range(2))
        between: list[Json] = [{"pause": wait(random)}] if random.random() < 0.5 else []
        return {"do": [{"first": first}, *between, {"second": second}]}

    def _both(self, _: Random) -> Json:
        filters: list[Json] = [heard(self._expected()), heard(self._expected())]
        return listening({"all": filters}, "${ $input.n + .[0].n + .[1].n }")

    def _either(self, _: Random) -> Json:
        """Which of them comes first does not matter: all events of an order say the same."""
        filters: list[Json] = [heard(self._expected()), heard(self._expected())]
        return listening({"any": filters}, "${ $input.n + .[0].n }")

    def _collect(self, random: Random) -> Json:
        count = random.randint(1, 3)
        to = {"any": [heard(self._expected(count))], "until": f"${{ length >= {count} }}"}
        return listening(to, f"${{ $input.n + {_sum(count)} }}")

    def _until_told(self, random: Random) -> Json:
        """Collects until other events come; how many there were until then is up to chance."""
        wanted: list[Json] = [heard(self._expected(random.randint(1, 2)))]
        ends: list[Json] = [heard(self._expected()) for _ in range(random.randint(1, 2))]
        until = {"one": ends[0]} if len(ends) == 1 else {random.choice(["all", "any"]): ends}
        return listening({"any": wanted, "until": until}, "${ $input.n }")

    def _each(self, random: Random) -> Json:
        """Does something with every event before the next one."""
        count = random.randint(1, 3)
        does: list[Json] = [{"take": ingredients.plain(random)}]
        if random.random() < 0.6:
            does.append({"then": random.choice([ingredients.call, wait])(random)})
        foreach = {"item": "event", "at": "place", "do": does, "output": {"as": {"n": "${ .n + $place }", **KEEP}}}
        to = {"any": [heard(self._expected(count))], "until": f"${{ length >= {count} }}"}
        return listening(to, f"${{ $input.n + {_sum(count)} }}", foreach)

    def _emit(self, _: Random) -> Json:
        return emitting(self._type("said"))

    # Runs

    def _child(self, random: Random) -> Json:
        child = random.choice(self._children)
        run = {"run": {"workflow": self._workflow(child)}}
        if not child.fails:
            return run
        return {"try": [{"run": run}], "catch": {"do": [{"mend": add(30)}]}}

    def _detached(self, random: Random) -> Json:
        """A run that nobody waits for."""
        return {"run": {"workflow": self._workflow(random.choice(self._children)), "await": False}}

    def _workflow(self, child: Plan) -> dict[str, Json]:
        self._waits_for |= child.waits_for
        version = self._random.choice(["1.0.0", "latest"])
        given = {"n": "${ .n }", **KEEP}
        if self._random.random() < 0.2:
            given["blob"] = "${ [range(900)] | map(tostring) | add }"
        return {"namespace": NAMESPACE, "name": child.name, "version": version, "input": given}


def _sum(count: int) -> str:
    return " + ".join(f".[{place}].n" for place in range(count))
