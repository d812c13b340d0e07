"""Whatever tools say, in whatever order and how often: one end, of the worst that counted, by nobody superseded."""

from typing import Any

from hypothesis import given as anything
from hypothesis import settings
from hypothesis import strategies as st

from penstock.events.tool_events import RESULTS, STATUSES, read_finish, read_tool_event
from penstock.kernel.commands import Withdraw
from penstock.kernel.facts import Fact
from penstock.kernel.messages import CancelRequested
from penstock.model.json_value import Json
from tests.kernel.offered import START_MS, TOTAL_MS, deliver, offer, offers, say, work
from tests.kernel.world import T0, Run, given

TOOLS = ("a", "b", "guest")
ENDS = ("task.completed", "task.faulted", "task.cancelled")
WAIT = {"wait": {"wait": {"days": 1}}}

_verdicts = st.fixed_dictionaries(
    {}, optional={"status": st.sampled_from(STATUSES), "result": st.sampled_from(RESULTS), "x": st.integers(0, 2)}
)
_leases = st.sampled_from([None, 1, 2, 3])
_answers = st.tuples(
    st.sampled_from(["started", "status.changed", "finished"]), st.sampled_from(TOOLS), _leases, _verdicts
)


@st.composite
def _lives(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What one to three tools say when all goes well, with answers doubled, and all of it in any order."""
    said: list[tuple[Any, ...]] = []
    for tool in TOOLS[: draw(st.integers(1, 3))]:
        for lease in draw(st.lists(_leases, min_size=1, max_size=2)):
            said += [("started", tool, lease), ("status.changed", tool, lease, {"p": 1})]
            said.append(("finished", tool, lease, draw(_verdicts)))
    said += draw(st.lists(st.sampled_from(said), max_size=4))
    return draw(st.permutations(said))


_clocks = st.tuples(st.just("later"), st.sampled_from([1, START_MS - 1, START_MS, TOTAL_MS]))
SEQUENCES = st.one_of(_lives(), st.lists(st.one_of(_answers, _answers, _clocks), max_size=14))


def _open_run() -> Run:
    """A task for the tools a and b inside a `try`, so that the run goes on after the task, however it ends."""
    call = {"check": {"call": "checknumber", "timeout": {"after": {"milliseconds": TOTAL_MS}}}}
    return offer(given([{"safe": {"try": [call], "catch": {}}}, WAIT]).start({}), "a", "b")


def _of_tools(facts: list[Fact], type_: str) -> list[dict[str, Any]]:
    return [fact.detail for fact in facts if fact.type == type_]


def _end(run: Run) -> list[Fact]:
    return [fact for fact in run.facts if fact.name == "check" and fact.type in ENDS]


def _rank(finishes: list[dict[str, Any]]) -> tuple[str, str]:
    """The worst status and result among these facts."""
    status = max((fact["status"] for fact in finishes), key=list[str](STATUSES).index)
    return status, max((fact["result"] for fact in finishes), key=list[str](RESULTS).index)


@settings(max_examples=400, deadline=None)
@anything(sequence=SEQUENCES)
def test_a_task_ends_once_by_all_that_started_and_with_the_worst_of_them(sequence: list[tuple[Any, ...]]) -> None:
    run = _open_run()
    newest: dict[str, int] = {}
    for what, *rest in sequence:
        was_open, facts, version = work(run) is not None, len(run.facts), run.live.version
        if what == "later":
            run.later(*rest)
        else:
            say(run, what, *rest)
        new = run.facts[facts:]
        if not was_open:
            assert what == "later" or run.live.version == version, "what comes after the end is stale"
        for fact in _of_tools(new, "task.tool_finished"):
            assert fact["token"] >= newest.get(fact["tool"], 0), "no superseded lease decides"
        for fact in [*_of_tools(new, "task.tool_started"), *_of_tools(new, "task.tool_finished")]:
            newest[fact["tool"]] = fact["token"]
        _check(run)
    assert run.replayed() == run.encoded()


def _check(run: Run) -> None:
    """What holds after every message."""
    finishes = _of_tools(run.facts, "task.tool_finished")
    finished = [fact["tool"] for fact in finishes]
    started = {fact["tool"] for fact in _of_tools(run.facts, "task.tool_started")} | set(finished)
    ends = _end(run)
    assert len(finished) == len(set(finished)), "a tool finishes once"
    assert len(ends) <= 1, "a task ends once"
    assert (work(run) is None) == bool(ends)
    withdrawn = [command for command in run.commands if isinstance(command, Withdraw) and not command.tool]
    assert len(withdrawn) == len(ends), "what is over is withdrawn, and nothing else"
    everybody = bool(started) and started == set(finished)
    if not ends:
        assert not everybody, "it is done when all that started have finished"
    elif everybody:
        status, result = _rank(finishes)
        assert (ends[0].type == "task.faulted") == (status == "errored" or result == "fail")
        if ends[0].output is not None:
            output = ends[0].output.data
            assert output.get("status", status) == status and output.get("result", result) == result
    else:
        assert ends[0].fault is not None and ends[0].fault.status == 408
        assert ends[0].at >= T0 + (TOTAL_MS if started else START_MS), "else only a deadline ends it"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_types = st.sampled_from(["x.started", "x.status.changed", "x.finished", ".finished", "finished"])
_garbage = st.fixed_dictionaries(
    {"type": _types | _json},
    optional={
        "penstocktool": st.sampled_from(TOOLS) | _json,
        "penstocklease": _json,
        "source": _json,
        "data": _json | st.dictionaries(st.sampled_from(["status", "result", "message", "x"]), _json),
        "data_base64": _json,
    },
)


@settings(max_examples=400, deadline=None)
@anything(events=st.lists(_garbage, min_size=1, max_size=5))
def test_whatever_an_event_holds_the_kernel_takes_it_or_leaves_it(events: list[dict[str, Json]]) -> None:
    run = _open_run()
    for event in events:
        deliver(run, {**event, "triggeredid": offers(run)[0].call_id})
        _check(run)
    assert run.replayed() == run.encoded()
    assert run.send(CancelRequested(at=run.at)).live.status == "cancelled"


@settings(max_examples=300, deadline=None)
@anything(event=_garbage | st.dictionaries(st.text(max_size=12), _json), call_id=st.text(max_size=3) | _json)
def test_reading_what_a_tool_says_is_total(event: dict[str, Json], call_id: Json) -> None:
    said = read_tool_event({**event, "triggeredid": call_id})
    if said is not None:
        assert said.call_id == call_id and said.token >= 0
        finish = read_finish(said)
        assert finish.status in STATUSES and finish.result in RESULTS
        assert not {"status", "result", "message"} & finish.rest.keys()
