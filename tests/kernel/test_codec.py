"""Codec version 1: what was written once can be read for ever. The golden file is never edited."""

import json
from pathlib import Path

import pytest

from penstock.errors import COMMUNICATION, Fault, InfrastructureError
from penstock.kernel import codec
from penstock.kernel.commands import Deferred, Invoke
from penstock.kernel.facts import Fact
from penstock.kernel.messages import (
    CallFinished,
    CallOffered,
    CancelRequested,
    ChildFinished,
    Continued,
    EventArrived,
    EventMatch,
    Message,
    ParentLink,
    ResumePoint,
    ResumeRequested,
    Started,
    SuspendRequested,
    TimerFired,
)
from penstock.kernel.needs import Answer
from penstock.kernel.state import (
    CallWork,
    ChildWork,
    FaultWork,
    ForkWork,
    ForWork,
    Frame,
    ListenWork,
    OfferedWork,
    Participant,
    RunState,
    ThenWork,
    TryWork,
    Work,
)
from penstock.kernel.values import Value
from penstock.model.limits import INLINE_VALUE_BYTES
from penstock.model.workflow import WorkflowIdentity

GOLDEN = Path(__file__).parent / "golden" / "codec-1.json"
TOOLS = Path(__file__).parent / "golden" / "codec-1-tools.json"
IDENTITY = WorkflowIdentity("tests", "golden", "1.2.3")
SMALL = Value({"n": 1, "s": "é"})
LARGE = Value("x" * (INLINE_VALUE_BYTES + 1))
FAULT = Fault(COMMUNICATION, 503, "Service unavailable", "busy", "/do/0/a", True, {"retryAfter": 3})
INVOKE = Invoke("call-1", 3, "/do/0/a", "http", SMALL, (Deferred("/headers/A", "$secrets.s", SMALL, {"x": LARGE}),), 99)

MESSAGES: dict[str, Message] = {
    "started": Started(
        at=1,
        run_id="r",
        workflow=IDENTITY,
        input=LARGE,
        parent=ParentLink("p", 4, 2),
        resume=ResumePoint("q", "/do/1/b", SMALL, SMALL),
    ),
    "call-finished": CallFinished(at=2, call_id="call-1", output=SMALL),
    "call-failed": CallFinished(at=2, call_id="call-1", fault=FAULT),
    "child-finished": ChildFinished(at=3, child_id="c", entry=4, output=SMALL),
    "event-arrived": EventArrived(at=4, event=SMALL, matches=(EventMatch(5, 1, {"k": SMALL}),)),
    "timer-fired": TimerFired(at=5),
    "continued": Continued(at=6),
    "cancel": CancelRequested(at=7, reason="enough"),
    "suspend": SuspendRequested(at=8, reason="poison"),
    "resume": ResumeRequested(at=9),
}
WORKS: list[Work] = [
    ForWork(LARGE, 2),
    ForkWork((SMALL, None), (None, SMALL), 1),
    TryWork(2, "delaying", 10, 20, FAULT, ("/do/0/a", 3), {"/do/0/a#": "call-1"}),
    ListenWork((SMALL,), (LARGE,), (0,), True, False, (1,)),
    CallWork(INVOKE),
    ChildWork("child"),
    FaultWork(FAULT, "call-1"),
    ThenWork("end"),
]
STATE = RunState(
    run_id="r",
    workflow=IDENTITY,
    version=7,
    status="waiting",
    input=LARGE,
    context=SMALL,
    started_at=1,
    updated_at=9,
    next_entry=9,
    frames={
        i: Frame(i, i - 1, i, "inside", SMALL, 1, (0, i), LARGE, None, 5, 6, 2, work, SMALL)
        for i, work in enumerate(WORKS)
    },
    runnable=(1, 2),
    keys={"k": SMALL},
    parent=ParentLink("p", 4, 2, awaited=False),
    error=FAULT,
)
ENTRY = codec.JournalEntry(
    MESSAGES["call-finished"],
    (Answer((3, "with", "/body"), SMALL), Answer((3, "if", ""), None, FAULT)),
    (
        Fact("task.completed", 2, 3, "/do/0/a", "a", (0,), 1, SMALL, None, LARGE, {"d": 1}),
        Fact("run.faulted", 2, fault=FAULT),
    ),
)

OFFERED = CallOffered(
    at=10, call_id="call-1", capability="check", tools=("a", "b"), start_by=50, prefix="sh.keptn.event.", pushed=("b",)
)
TAKEN = OfferedWork(
    Invoke("call-1", 3, "/do/0/a", "capability", SMALL, (), 99),
    "check",
    "sh.keptn.event.",
    50,
    ("a", "b"),
    (Participant("a", 2, 11, "unknown", "warning", "hm"), Participant("b", 0, 12)),
    LARGE,
    ("result", "status"),
    3,
    1,
    13,
)
OFFERED_STATE = RunState(
    run_id="r",
    workflow=IDENTITY,
    version=2,
    status="running",
    input=SMALL,
    context=SMALL,
    started_at=1,
    updated_at=13,
    frames={
        0: Frame(0, -1, 0, "inside", SMALL, 1),
        1: Frame(1, 0, 1, "calling", SMALL, 1, deadline_at=99, work=TAKEN),
        2: Frame(2, 0, 2, "calling", SMALL, 1, wake_at=50, work=OfferedWork(TAKEN.invoke, "c", "", 50, ())),
    },
)
OFFERED_ENTRY = codec.JournalEntry(
    OFFERED,
    (),
    (
        Fact("task.offered", 10, 1, "/do/0/a", "a", detail={"capability": "check"}),
        Fact("task.tool_started", 11, 1, "/do/0/a", "a", detail={"tool": "a", "token": 2}),
        Fact("task.progress", 11, 1, "/do/0/a", "a", detail={"tool": "a", "token": 2, "data": 1}),
        Fact("task.tool_finished", 11, 1, "/do/0/a", "a", detail={"tool": "a", "token": 2}),
        Fact("task.superseded", 11, 1, "/do/0/a", "a", detail={"tool": "a", "token": 1}),
        Fact("task.ignored", 11, 1, "/do/0/a", "a", detail={"tool": "x", "token": 0}),
    ),
)


def written_of_tools() -> dict[str, str]:
    return {
        "state": codec.encode_state(OFFERED_STATE)[0].hex(),
        "entry": codec.encode_entry(OFFERED_ENTRY)[0].hex(),
        "message/call-offered": codec.encode_message(OFFERED)[0].hex(),
    }


def written() -> dict[str, str]:
    return {
        "state": codec.encode_state(STATE)[0].hex(),
        "entry": codec.encode_entry(ENTRY)[0].hex(),
        **{f"message/{name}": codec.encode_message(message)[0].hex() for name, message in MESSAGES.items()},
    }


def load(values: list[Value]) -> None:
    for value in values:
        assert value.digest == LARGE.digest
        value.load(LARGE.json)


def test_what_is_written_is_what_was_always_written() -> None:
    assert written() == json.loads(GOLDEN.read_text())


def test_golden_bytes_are_read_as_what_they_meant() -> None:
    golden = {name: bytes.fromhex(text) for name, text in json.loads(GOLDEN.read_text()).items()}
    state, references = codec.decode_state(golden["state"])
    load(references)
    assert state == STATE
    entry, references = codec.decode_entry(golden["entry"])
    load(references)
    assert entry == ENTRY
    for name, message in MESSAGES.items():
        read, references = codec.decode_message(golden[f"message/{name}"])
        load(references)
        assert read == message


def test_tasks_of_tools_are_written_as_they_were_always_written_and_read_as_what_they_meant() -> None:
    golden = json.loads(TOOLS.read_text())
    assert written_of_tools() == golden
    state, references = codec.decode_state(bytes.fromhex(golden["state"]))
    load(references)
    assert state == OFFERED_STATE
    assert codec.decode_entry(bytes.fromhex(golden["entry"]))[0] == OFFERED_ENTRY
    assert codec.decode_message(bytes.fromhex(golden["message/call-offered"]))[0] == OFFERED


def test_a_large_value_is_stored_apart_once_and_small_ones_inline() -> None:
    _, large = codec.encode_state(STATE)
    assert large == {LARGE.digest: LARGE.json}
    at_the_limit = Value("x" * (INLINE_VALUE_BYTES - 2))
    assert at_the_limit.inline == at_the_limit.json
    assert Value("x" * (INLINE_VALUE_BYTES - 1)).inline is None


def test_another_codec_version_is_refused_by_name() -> None:
    with pytest.raises(InfrastructureError, match="codec version 2"):
        codec.decode_state(b"\x02" + codec.encode_state(STATE)[0][1:])


def test_a_reference_that_was_not_loaded_says_so() -> None:
    with pytest.raises(LookupError, match="was not loaded"):
        _ = Value(digest=LARGE.digest).data
