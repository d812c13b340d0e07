"""Every message in every state: the kernel never raises, its invariants hold, and the journal rebuilds the state."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.errors import COMMUNICATION, TIMEOUT, Fault
from penstock.kernel.commands import Invoke, Offer, SendMessage
from penstock.kernel.messages import (
    CallFinished,
    CallOffered,
    CancelRequested,
    ChildFinished,
    Continued,
    EventArrived,
    EventMatch,
    ResumeRequested,
    Started,
    SuspendRequested,
    TimerFired,
)
from penstock.kernel.state import TRANSITIONS, OfferedWork
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from tests.kernel.world import RUN_ID, Run, given

FAULTS = [
    Fault(COMMUNICATION, 503, "Service unavailable"),
    Fault(COMMUNICATION, 500, "Connection lost", unknown_outcome=True),
    Fault(TIMEOUT, 408, "Timeout"),
]
HTTP = {"call": "http", "with": {"method": "get", "endpoint": "http://x.test/{n}"}}

_leaf = st.sampled_from(
    [
        {"set": {"n": "${ (.n // 0) + 1 }"}},
        {"set": {"n": "${ [.n?, 1] | length }"}},
        {"set": {"n": "${ [limit(1; .n?)] | length }"}, "export": {"as": "${ {seen: $output.n} }"}},
        {"set": "${ .broken.path.of | keys }"},
        {"wait": {"seconds": 1}},
        {"wait": {"seconds": 5}, "timeout": {"after": {"seconds": 2}}},
        HTTP,
        {**HTTP, "timeout": {"after": {"seconds": 3}}, "output": {"as": "${ {n: .} }"}},
        {"call": "checknumber", "with": {"n": "${ .n? }"}},
        {"call": "checknumber", "timeout": {"after": {"seconds": 3}}},
        {"raise": {"error": {"type": "https://e.test/x", "status": 500}}},
        {"emit": {"event": {"with": {"type": "com.x", "data": "${ . }"}}}},
        {"listen": {"to": {"one": {"with": {"type": "a"}, "correlate": {"k": {"from": ".data.k"}}}}}},
        {"listen": {"to": {"any": [{"with": {"type": "a"}}, {"with": {"type": "b"}}], "until": "length > 1"}}},
        {
            "listen": {"to": {"all": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}},
            "foreach": {"do": [{"w": HTTP}]},
        },
        {"run": {"workflow": {"namespace": "n", "name": "w", "version": "1.0.0"}}},
        {"switch": [{"one": {"when": ".n == 1", "then": "exit"}}, {"other": {"then": "continue"}}]},
        {"if": ".n == 2", "set": {"n": 0}, "then": "end"},
    ]
)


def _named(tasks: list[Any]) -> list[dict[str, Any]]:
    return [{f"t{i}": task} for i, task in enumerate(tasks)]


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3).map(_named)
    retry = {"delay": {"seconds": 1}, "limit": {"attempt": {"count": 2, "duration": {"seconds": 4}}}}
    return st.one_of(
        st.builds(lambda do: {"do": do}, lists),
        st.builds(lambda do: {"for": {"in": "[1, 2]"}, "do": do}, lists),
        st.builds(lambda do: {"for": {"in": "[1, 2, 3]"}, "while": "$index < 2", "do": do}, lists),
        st.builds(lambda b, c: {"fork": {"branches": b, "compete": c}}, lists, st.booleans()),
        st.builds(lambda t: {"try": t, "catch": {"retry": retry}}, lists),
        st.builds(lambda t, d: {"try": t, "catch": {"errors": {"with": {"status": 500}}, "do": d}}, lists, lists),
        st.builds(lambda do: {"do": do, "timeout": {"after": {"seconds": 3}}}, lists),
    )


WORKFLOWS = st.lists(st.recursive(_leaf, _nested, max_leaves=8), min_size=1, max_size=4).map(_named)


class AnyMessageInAnyState(RuleBasedStateMachine):
    run: Run

    @initialize(do=WORKFLOWS, n=st.integers(0, 3), limited=st.booleans())
    def start(self, do: list[Any], n: int, limited: bool) -> None:
        members = {"timeout": {"after": {"seconds": 9}}} if limited else {}
        self.run = given(do, **members).start({"n": n})

    @rule(pick=st.integers(0, 9), data=st.integers(0, 3), fault=st.sampled_from([None, None, *FAULTS]))
    def a_call_is_answered(self, pick: int, data: int, fault: Fault | None) -> None:
        made = [command for command in self.run.commands if isinstance(command, Invoke)]
        call_id = made[pick % len(made)].call_id if made else "nobody"
        output = None if fault else Value(data)
        self.run.send(CallFinished(at=self.run.at, call_id=call_id, output=output, fault=fault))

    @rule(
        pick=st.integers(0, 3), wait=st.sampled_from([0, 1000, 4000]), tools=st.sampled_from([(), ("a",), ("a", "b")])
    )
    def a_call_is_offered(self, pick: int, wait: int, tools: tuple[str, ...]) -> None:
        made = [command for command in self.run.commands if isinstance(command, Invoke)]
        call_id = made[pick % len(made)].call_id if made else "nobody"
        start_by = self.run.at + wait if wait else 0
        message = CallOffered(at=self.run.at, call_id=call_id, capability="checknumber", tools=tools, start_by=start_by)
        self.run.send(message)

    @rule(
        pick=st.integers(0, 3),
        said=st.sampled_from(["started", "started", "status.changed", "finished", "finished", "cancelled"]),
        tool=st.sampled_from(["a", "b", "guest"]),
        lease=st.sampled_from([None, 1, 2]),
        data=st.sampled_from([None, {"n": 1}, {"result": "fail"}, {"status": "unknown"}, {"n": [0] * 9_000}, 5]),
    )
    def a_tool_says_something(self, pick: int, said: str, tool: str, lease: int | None, data: Json) -> None:
        made = [command for command in self.run.commands if isinstance(command, Offer)]
        call_id = made[pick % len(made)].call_id if made else "nobody"
        event = {"type": f"checknumber.{said}", "triggeredid": call_id, "penstocktool": tool, "data": data}
        event |= {} if lease is None else {"penstocklease": lease}
        matches = tuple(
            EventMatch(f.entry, 0) for f in self.run.live.frames.values() if isinstance(f.work, OfferedWork)
        )
        self.run.send(EventArrived(at=self.run.at, event=Value(event), matches=matches))

    @rule(ms=st.sampled_from([0, 1, 999, 1000, 1001, 2500, 10_000]))
    def time_goes_by(self, ms: int) -> None:
        self.run.at += ms
        self.run.send(TimerFired(at=self.run.at))

    @rule(entry=st.integers(0, 12), index=st.integers(0, 1), key=st.integers(0, 1))
    def an_event_comes(self, entry: int, index: int, key: int) -> None:
        event = {"specversion": "1.0", "id": "1", "source": "s", "type": "a", "data": {"k": key}}
        listening = [f.entry for f in self.run.live.frames.values() if f.phase == "listening"]
        target = listening[entry % len(listening)] if listening else entry
        frame = self.run.live.frames.get(target)
        count = 0 if frame is None else len(getattr(self.run.program.nodes[frame.node].spec, "filters", ()))
        if count:
            match = EventMatch(target, index % count, {"k": Value(key)})
            self.run.send(EventArrived(at=self.run.at, event=Value(event), matches=(match,)))

    @rule(pick=st.integers(0, 5), fails=st.booleans())
    def a_child_ends(self, pick: int, fails: bool) -> None:
        started = [
            c.message for c in self.run.commands if isinstance(c, SendMessage) and isinstance(c.message, Started)
        ]
        if started and (parent := started[pick % len(started)].parent):
            self.run.send(
                ChildFinished(
                    at=self.run.at,
                    child_id=started[pick % len(started)].run_id,
                    entry=parent.entry,
                    output=None if fails else Value(1),
                    fault=FAULTS[0] if fails else None,
                )
            )

    @rule(message=st.sampled_from([SuspendRequested, ResumeRequested, Continued]))
    def it_is_controlled(self, message: type[ResumeRequested]) -> None:
        self.run.send(message(at=self.run.at))

    @precondition(lambda self: len(self.run.journal) > 4)
    @rule()
    def it_is_cancelled(self) -> None:
        self.run.send(CancelRequested(at=self.run.at))
        assert self.run.live.ended

    @rule()
    def it_is_started_again(self) -> None:
        version = self.run.live.version
        self.run.send(Started(at=self.run.at, run_id=RUN_ID, workflow=self.run.program.identity, input=Value(None)))
        assert self.run.live.version == version

    @invariant()
    def the_journal_rebuilds_the_state(self) -> None:
        assert self.run.replayed() == self.run.encoded()
        assert self.run.live.version == len(self.run.journal)

    @invariant()
    def the_tree_is_whole(self) -> None:
        state = self.run.live
        if state.ended:
            assert not state.frames and not state.runnable and state.next_at is None
            assert (state.error is None) == (state.status != "faulted")
            return
        assert 0 in state.frames
        assert all(frame.parent in state.frames for frame in state.frames.values() if frame.entry)
        assert not state.parked
        stuck = state.status != "suspended" and not state.runnable and state.next_at is None
        if stuck:
            waits = {"calling", "child", "listening"}
            assert any(frame.phase in waits for frame in state.frames.values()), state

    @invariant()
    def facts_end_what_they_begin(self) -> None:
        begun = [fact.entry for fact in self.run.facts if fact.type == "task.created"]
        ends = {"task.completed", "task.faulted", "task.cancelled", "task.skipped"}
        ended = [fact.entry for fact in self.run.facts if fact.type in ends]
        assert len(begun) == len(set(begun))
        assert len(ended) == len(set(ended))
        alive = set(begun) - set(ended)
        assert alive == set(self.run.live.frames) - {0}


def test_the_table_of_transitions_ends_where_runs_end() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == {
        "cancelled",
        "faulted",
        "completed",
    }


AnyMessageInAnyState.TestCase.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
TestAnyMessageInAnyState = AnyMessageInAnyState.TestCase
