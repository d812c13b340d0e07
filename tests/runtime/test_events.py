"""Events and listeners: they cannot miss each other, whoever comes first."""

import asyncio
import itertools

import pytest

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings

from .conftest import document, opened, run_to_end

_numbers = itertools.count()


def event(type_: str, data: Json = None, **more: Json) -> dict[str, Json]:
    return {
        "specversion": "1.0",
        "id": f"e{next(_numbers)}",
        "source": "/test",
        "type": type_,
        "data": {} if data is None else data,
        **more,
    }


LISTEN = "- l: {listen: {to: {one: {with: {type: a}}}}}\n"
KEYED = "- l: {listen: {to: {one: {with: {type: a}, correlate: {k: {from: .data.k, expect: '${ .k }'}}}}}}\n"


async def until_routed(engine: Engine) -> None:
    """Returns once every event has been offered to those who listened."""
    with engine._parts.watching.events() as came:
        async with asyncio.timeout(20):
            while await engine._parts.store.events_after(engine._parts.router.cursor, 1):
                came.clear()
                await asyncio.wait([asyncio.ensure_future(came.wait())], timeout=0.01)


async def test_a_listener_gets_the_event_that_comes_after_it(engine: Engine) -> None:
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    assert run.status == "waiting"
    assert await engine.publish([event("b"), event("a", {"n": 1}), event("a", {"n": 2})]) == 3
    run = await engine.wait_run(run.id, 10)
    assert run.output == [{"n": 1}]


async def test_a_listener_gets_the_event_that_came_before_it(engine: Engine) -> None:
    await engine.publish([event("a", {"n": 1})])
    run = await run_to_end(engine, document("l", LISTEN))
    assert run.output == [{"n": 1}]


async def test_an_event_whose_time_is_over_is_not_offered_to_late_listeners(engine: Engine) -> None:
    await engine.publish([event("a", {"n": 1}, penstockttl=0)])
    await until_routed(engine)  # whoever listens before that may have it
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    await engine.publish([event("a", {"n": 2})])
    assert (await engine.wait_run(run.id, 10)).output == [{"n": 2}]


async def test_an_event_is_taken_once_by_source_and_id(engine: Engine) -> None:
    text = "- l: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}}\n"
    await engine.deploy(document("l", text))
    run = await engine.start_run("test", "l", "latest", {})
    first = event("a", {"n": 1})
    assert await engine.publish([first]) == 1
    assert await engine.publish([first, first]) == 0
    await engine.publish([event("b", {"n": 2})])
    assert (await engine.wait_run(run.id, 10)).output == [{"n": 1}, {"n": 2}]


async def test_an_event_that_meets_two_filters_is_consumed_once(engine: Engine) -> None:
    await engine.deploy(document("l", "- l: {listen: {to: {all: [{with: {type: a}}, {with: {source: /test}}]}}}\n"))
    run = await engine.start_run("test", "l", "latest", {})
    await engine.publish([event("a", {"n": 1})])
    assert (await engine.wait_run(run.id, 10)).output == [{"n": 1}]


async def test_two_events_at_once_serve_two_listeners_one_after_the_other(engine: Engine) -> None:
    await engine.deploy(document("l", LISTEN + LISTEN.replace("l:", "m:") + LISTEN.replace("l:", "n:")))
    run = await engine.start_run("test", "l", "latest", {})
    await engine.publish([event("a", {"n": n}) for n in range(3)])
    run = await engine.wait_run(run.id, 10)
    assert (run.status, run.output) == ("completed", [{"n": 2}])


async def test_an_early_event_waits_for_its_listener_across_a_restart(settings: Settings) -> None:
    tasks = LISTEN + "- w: {wait: {milliseconds: 300}}\n" + LISTEN.replace("l:", "m:")
    async with opened(settings) as engine:
        await engine.deploy(document("l", tasks))
        run = await engine.start_run("test", "l", "latest", {})
        await engine.publish([event("a", {"n": 1}), event("a", {"n": 2})])
        with engine._parts.watching.run(run.id) as moved:
            await asyncio.wait_for(moved.wait(), 10)
    async with opened(settings) as engine:
        run = await engine.wait_run(run.id, 10)
        assert (run.status, run.output) == ("completed", [{"n": 2}])


async def test_keys_lead_each_event_to_its_run(engine: Engine) -> None:
    await engine.deploy(document("k", KEYED))
    runs = [await engine.start_run("test", "k", "latest", {"k": n}) for n in range(50)]
    await engine.publish([event("a", {"k": n, "v": n * n}) for n in reversed(range(50))])
    ended = await asyncio.gather(*(engine.wait_run(run.id, 10) for run in runs))
    assert [run.output for run in ended] == [[{"k": n, "v": n * n}] for n in range(50)]


async def test_a_run_listens_to_what_another_emits(engine: Engine) -> None:
    await engine.deploy(document("l", KEYED))
    listener = await engine.start_run("test", "l", "latest", {"k": "x"})
    emit = "- e: {emit: {event: {with: {type: a, data: {k: '${ .k }'}}}}}\n"
    emitter = await run_to_end(engine, document("e", emit), {"k": "x"})
    assert (await engine.wait_run(listener.id, 10)).output == [{"k": "x"}]
    assert len(await engine.list_events(run=emitter.id)) == 1
    assert len(await engine.list_events(run=listener.id)) == 1


async def test_a_predicate_over_the_run_is_checked_per_listener(engine: Engine) -> None:
    text = "- l: {listen: {to: {one: {with: {type: a, data: '${ .n > $input.least }'}}}}}\n"
    await engine.deploy(document("p", text))
    low = await engine.start_run("test", "p", "latest", {"least": 1})
    high = await engine.start_run("test", "p", "latest", {"least": 10})
    await engine.publish([event("a", {"n": 5})])
    assert (await engine.wait_run(low.id, 10)).output == [{"n": 5}]
    await engine.publish([event("a", {"n": 50})])
    assert (await engine.wait_run(high.id, 10)).output == [{"n": 50}]


async def test_events_and_listeners_never_miss_each_other(engine: Engine) -> None:
    """Start and publish at the same time, two hundred times: every run gets its event, and only its own."""
    await engine.deploy(document("race", KEYED))

    async def one(n: int) -> Json:
        starting = engine.start_run("test", "race", "latest", {"k": n})
        publishing = engine.publish([event("a", {"k": n})])
        both = (starting, publishing) if n % 2 else (publishing, starting)
        results = await asyncio.gather(*both)
        run = results[0 if n % 2 else 1]
        return await engine.wait_run(run.id, 20)  # type: ignore[union-attr]

    ended = await asyncio.gather(*(one(n) for n in range(200)))
    assert [run.output for run in ended] == [[{"k": n}] for n in range(200)]


async def test_listening_goes_on_until_its_condition_holds(engine: Engine) -> None:
    text = (
        "- l: {listen: {to: {any: [{with: {type: a}}], until: '${ length >= 3 }'}}, "
        "foreach: {item: e, do: [{s: {set: {got: '${ $e.n }'}}}]}}\n"
    )
    await engine.deploy(document("u", text))
    run = await engine.start_run("test", "u", "latest", {})
    for n in range(3):
        await engine.publish([event("a", {"n": n})])
    run = await engine.wait_run(run.id, 10)
    assert (run.status, run.output) == ("completed", [{"got": 0}, {"got": 1}, {"got": 2}]), run.error


async def test_the_stream_of_events_tells_what_came(engine: Engine) -> None:
    before = event("a")
    await engine.publish([before])
    stream = engine.stream_events()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    while not engine._parts.watching._events:  # noqa: ASYNC110
        await asyncio.sleep(0)
    while not first.done():  # the stream begins when it has looked for the newest event, which takes a while
        await engine.publish([event("b")])
    assert (await first)[1]["type"] == "b"
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_listener_with_an_open_key_takes_the_first_value_and_keeps_to_it(engine: Engine) -> None:
    text = (
        "- l: {listen: {to: {all: [{with: {type: a}, correlate: {k: {from: .data.k}}}, "
        "{with: {type: b}, correlate: {k: {from: .data.k}}}]}}}\n"
    )
    await engine.deploy(document("o", text))
    run = await engine.start_run("test", "o", "latest", {})
    await engine.publish([event("a", {"k": 1})])
    with engine._parts.watching.run(run.id) as moved:
        while (await engine.get_run(run.id)).seq < 2:
            await asyncio.wait_for(moved.wait(), 10)
            moved.clear()
    await engine.publish([event("b", {"k": 2}), event("b", {"k": 1})])
    run = await engine.wait_run(run.id, 10)
    assert run.output == [{"k": 1}, {"k": 1}]


@pytest.mark.parametrize("count", [9, 10, 11, 35])
async def test_a_reader_far_behind_misses_no_event(engine: Engine, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("penstock.model.limits.MAX_EVENTS_PER_LOOK", 10)
    await engine.publish([event("told", number) for number in range(count)])
    seen: list[Json] = []
    async for _, told in engine.stream_events(after=0):
        seen.append(told["data"])
        if len(seen) == count:
            break
    assert seen == [{} if number is None else number for number in range(count)]


async def test_a_newer_event_waits_until_the_run_has_looked_back(engine: Engine) -> None:
    await engine.deploy(document("l", LISTEN))
    run = await engine.start_run("test", "l", "latest", {})
    router = engine._parts.router
    router.before(run.id, [])  # as a turn does that is about to listen
    await engine.publish([event("a", {"n": 1})])
    assert (await engine.wait_run(run.id, 0.2)).status == "waiting"
    router.settled(run.id)
    assert (await engine.wait_run(run.id, 10)).output == [{"n": 1}]
