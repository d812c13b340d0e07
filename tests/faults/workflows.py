"""What the load runs, and what must come of it. Every run has an order and a number: `n` in, another `n` out.

`steady` calls cannot fail; `shaky` ones are tried again until they do not. So what comes out depends on what went in
and on nothing that happens in between.
"""

from typing import Final

import msgspec

from penstock.kernel import Program, Resources, compile_program
from penstock.model import load_data
from penstock.model.json_value import Json

NAMESPACE: Final = "faults"
NEVER: Final = "never"
"""A type of events that nobody publishes."""


class Plan(msgspec.Struct, frozen=True):
    """A workflow: `added` to the `n` of the input gives that of the output; `hears` are types of events, each of which
    adds its own `n`; `children` are the runs that it starts."""

    name: str
    tasks: list[Json]
    added: int
    hears: tuple[str, ...] = ()
    children: int = 0

    @property
    def document(self) -> dict[str, Json]:
        head = {"dsl": "1.0.3", "namespace": NAMESPACE, "name": self.name, "version": "1.0.0"}
        return {"document": head, "do": self.tasks}

    def program(self) -> Program:
        loaded = load_data(self.document)
        assert loaded.workflow is not None, loaded.diagnostics
        return compile_program(loaded.workflow, Resources({}))


def plans(url: str) -> tuple[Plan, ...]:
    """Every kind of run, over a service at `url`."""
    return (
        Plan("chain", [_steady(url, "a"), _wait(200), _steady(url, "b"), _steady(url, "c"), _jq()], 4),
        Plan("pause", [_steady(url, "a"), _wait(3_000), _steady(url, "b")], 2),
        Plan("forked", [_fork(url), _steady(url, "last")], 7),
        Plan("shaky", [_shaky(url, "first"), _shaky(url, "second"), _steady(url, "third")], 3),
        Plan("heard", [_steady(url, "a"), _listen("paid"), _wait(700), _listen("sent"), _steady(url, "b")], 2, _EVENTS),
        Plan("both", [_wait(300), _listen_all(*_EVENTS), _steady(url, "a")], 1, _EVENTS),
        Plan("unheard", [_steady(url, "a"), _unheard(1_500), _steady(url, "b")], 102),
        Plan("parent", [_steady(url, "before"), _child("chain"), _steady(url, "after")], 6, children=1),
    )


_EVENTS: Final = ("paid", "sent")
_KEEP: Final = {"order": "${ .order }"}
_PATIENCE: Final = {"after": {"minutes": 10}}


def _call(url: str, kind: str, name: str) -> Json:
    body = {"n": "${ .n }", "task": name, **_KEEP}
    return {"call": "http", "with": {"method": "post", "endpoint": {"uri": f"{url}/{kind}"}, "body": body}}


def _steady(url: str, name: str) -> Json:
    return {name: {**_call(url, "steady", name), "timeout": _PATIENCE}}


def _shaky(url: str, name: str) -> Json:
    """Tried until it succeeds; a call that hangs is given up after a second, with unknown outcome."""
    call = {**_call(url, "shaky", name), "timeout": {"after": {"seconds": 1}}}
    retry = {"delay": {"milliseconds": 200}, "limit": {"attempt": {"count": 5000}}}
    return {f"{name}-tried": {"try": [{name: call}], "catch": {"retry": retry}}}


def _wait(milliseconds: int) -> Json:
    return {f"wait{milliseconds}": {"wait": {"milliseconds": milliseconds}}}


def _add(number: int) -> Json:
    return {"set": {"n": f"${{ .n + {number} }}", **_KEEP}}


def _jq() -> Json:
    """Adds one by an expression that only a worker process can evaluate."""
    return {"jq": {"set": {"n": "${ [limit(2; .n, 1, 5)] | add }", **_KEEP}}}


def _fork(url: str) -> Json:
    """Three branches that add one, two and three to nothing."""
    late: Json = {"do": [_wait(500), _steady(url, "late"), _steady(url, "later")]}
    mixed: Json = {"do": [_steady(url, "m"), _shaky(url, "n"), {"one": _add(1)}]}
    branches: list[Json] = [_steady(url, "quick"), {"slow": late}, {"mixed": mixed}]
    total = "${ .[0].n + .[1].n + .[2].n - 2 * $input.n }"
    return {"fork": {"fork": {"branches": branches}, "output": {"as": {"n": total, "order": "${ $input.order }"}}}}


def _heard(type_: str) -> Json:
    return {"with": {"type": type_}, "correlate": {"order": {"from": ".data.order", "expect": "${ .order }"}}}


def _listen(type_: str) -> Json:
    output = {"n": "${ $input.n + .[0].n }", "order": "${ $input.order }"}
    return {type_: {"listen": {"to": {"one": _heard(type_)}}, "output": {"as": output}, "timeout": _PATIENCE}}


def _listen_all(*types: str) -> Json:
    output = {"n": "${ $input.n + .[0].n + .[1].n }", "order": "${ $input.order }"}
    to = {"all": [_heard(type_) for type_ in types]}
    return {"all": {"listen": {"to": to}, "output": {"as": output}, "timeout": _PATIENCE}}


def _unheard(milliseconds: int) -> Json:
    """Waits for what does not come; the time-out adds a hundred."""
    listen = {"listen": {"to": {"one": _heard(NEVER)}}, "timeout": {"after": {"milliseconds": milliseconds}}}
    return {
        "tried": {
            "try": [{"listen": listen}],
            "catch": {"errors": {"with": {"status": 408}}, "do": [{"add": _add(100)}]},
        }
    }


def _child(name: str) -> Json:
    workflow = {"namespace": NAMESPACE, "name": name, "version": "1.0.0", "input": {"n": "${ .n }", **_KEEP}}
    return {"child": {"run": {"workflow": workflow}}}
