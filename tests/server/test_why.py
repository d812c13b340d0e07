"""Why a run waits, why an event matched or did not: one fixture for each cause, its words asserted."""

import asyncio
import re

import pytest

from penstock.model.json_value import Json
from tests.server import tasks_by_event as tasks
from tests.server.client import Client, workflow

SOURCE = "/shop"


def name(event_id: str, source: str = SOURCE) -> str:
    return f"/api/v1/events/{source.replace('/', '%2F')}/{event_id}"


async def send(client: Client, event_id: str = "e1", **members: Json) -> None:
    event = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": "order.paid", **members}
    answer = await client.send("POST", "/api/v1/events", event, media="application/cloudevents+json")
    assert answer.status == 202, answer


async def listening(client: Client, wanted: Json, *, version: str = "1.0.0", data: Json = None, **more: Json) -> str:
    """The id of a run that listens as `wanted` says."""
    document = workflow("hears", [{"hear": {"listen": {"to": wanted}, **more}}], version=version)
    assert (await client.deploy(document)).status in (200, 201)
    return await started(client, "hears", data)


async def started(client: Client, of: str, data: Json = None, status: str = "waiting") -> str:
    run: str = (await client.post(f"/api/v1/workflows/tests/{of}/runs", data or {})).body["id"]
    await until_status(client, run, status)
    return run


async def until_status(client: Client, run: str, status: str) -> None:
    async with asyncio.timeout(20):
        while (found := (await client.get(f"/api/v1/runs/{run}")).body["status"]) != status:
            assert found not in ("faulted", "completed", "cancelled"), found


async def told(client: Client, event_id: str = "e1", query: str = "") -> list[Json]:
    answer = await client.get(f"{name(event_id)}/matches{query}")
    assert answer.status == 200, answer
    assert answer.body["event"]["id"] == event_id
    return answer.body["candidates"]


async def verdict(client: Client, event_id: str = "e1", *, settled: str | None = None) -> tuple[str, str]:
    """Verdict and reason of the only candidate, instants as `T`; once it is no longer on its way."""
    async with asyncio.timeout(20):
        while True:
            [one] = await told(client, event_id)
            if one["verdict"] not in ("waiting", *([] if settled is None else {"held", "delivered"} - {settled})):
                return one["verdict"], re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", one["reason"])


ONE = {"one": {"with": {"type": "order.paid"}}}


def correlated(**more: Json) -> Json:
    correlate = {"order": {"from": "${ .data.order }", "expect": "${ .order }"}}
    return {"one": {"with": {"type": "order.paid", **more}, "correlate": correlate}}


class TestEvents:
    async def test_an_attribute_that_differs(self, client: Client) -> None:
        await listening(client, {"one": {"with": {"type": "order.paid", "source": "/other"}}})
        await send(client)
        assert await verdict(client) == ("no", 'with.source: expected "/other", but was "/shop"')

    async def test_an_attribute_that_is_not_there(self, client: Client) -> None:
        await listening(client, {"one": {"with": {"type": "order.paid", "subject": "A-.*"}}})
        await send(client)
        assert await verdict(client) == ("no", 'with.subject: expected "A-.*", but the event has none')

    async def test_an_attribute_that_the_run_knows(self, client: Client) -> None:
        run = await listening(
            client, {"one": {"with": {"type": "order.paid", "subject": "${ .who }"}}}, data={"who": "a"}
        )
        await send(client, subject="b")
        [one] = await told(client)
        assert one == {
            "run": run,
            "workflow": "tests/hears:1.0.0",
            "reference": "/do/0/hear",
            "name": "hear",
            "filter": 0,
            "verdict": "no",
            "reason": 'with.subject: expected "a", but was "b"',
        }

    async def test_a_correlation_value_that_differs(self, client: Client) -> None:
        await listening(client, correlated(), data={"order": "A-1"})
        await send(client, data={"order": "A-2"})
        reason = 'correlate.order: the run expects "A-1", the event has "A-2"'
        assert await verdict(client) == ("no", reason)

    async def test_a_correlation_value_that_another_event_fixed(self, client: Client) -> None:
        correlate = {"order": {"from": "${ .data.order }"}}
        filters = [{"with": {"type": one}, "correlate": correlate} for one in ("order.placed", "order.paid")]
        run = await listening(client, {"all": filters})
        await send(client, "e1", type="order.placed", data={"order": "A-1"})
        async with asyncio.timeout(20):
            while "expected" not in (await waits(client, run))[0]["filters"][-1]["clauses"][-1]:
                pass
        await send(client, "e2", data={"order": "A-2"})
        reason = 'correlate.order: the run expects "A-1", the event has "A-2"'
        assert await verdict(client, "e2") == ("no", reason)

    async def test_a_correlation_value_that_the_event_lacks(self, client: Client) -> None:
        await listening(client, correlated(), data={"order": "A-1"})
        await send(client, data={"other": 1})
        reason = "correlate.order: ${ .data.order } gives nothing for this event"
        assert await verdict(client) == ("no", reason)

    async def test_an_expression_that_fails(self, client: Client) -> None:
        await listening(client, correlated(), data={"order": "A-1"})
        await send(client, data="text")
        found, reason = await verdict(client)
        assert found == "no"
        assert reason.startswith("correlate.order: ${ .data.order } failed: "), reason

    async def test_a_predicate_that_is_false(self, client: Client) -> None:
        await listening(client, {"one": {"with": {"type": "order.paid", "data": "${ .total > 100 }"}}})
        await send(client, data={"total": 5})
        assert await verdict(client) == ("no", "with.data: ${ .total > 100 } is false for this event")

    async def test_a_predicate_with_variables_of_the_run(self, client: Client) -> None:
        wanted = {"one": {"with": {"type": "order.paid", "data": "${ .total > $workflow.input.most }"}}}
        await listening(client, wanted, data={"most": 100})
        await send(client, data={"total": 5})
        reason = "with.data: ${ .total > $workflow.input.most } is false for this event"
        assert await verdict(client) == ("no", reason)

    async def test_an_event_that_was_taken(self, client: Client) -> None:
        run = await listening(client, ONE)
        await send(client)
        assert (await client.until_ended(run))["status"] == "completed"
        assert await verdict(client) == ("delivered", "taken at T")
        [one] = await told(client)
        assert (one["run"], one["reference"], one["name"]) == (run, "/do/0/hear", "hear")

    async def test_an_event_that_expired_before_anybody_listened(self, client: Client) -> None:
        await send(client, penstockttl=0)
        await listening(client, ONE)
        reason = "the event expired at T; the task listens since T"
        assert await verdict(client) == ("no", reason)

    async def test_a_filter_that_has_its_event_already(self, client: Client) -> None:
        run = await listening(client, {"all": [{"with": {"type": "order.paid"}}, {"with": {"type": "order.sent"}}]})
        await send(client, "e1")
        await send(client, "e2")
        assert await verdict(client, "e1", settled="delivered") == ("delivered", "taken at T")
        reason = "delivered and held until T: no task of the run has taken it yet"
        found = await verdict(client, "e2", settled="held")
        assert found == ("held", f"this filter of the task has its event already; {reason}")
        assert [one["run"] for one in await told(client, "e2")] == [run]

    async def test_a_workflow_that_nobody_runs(self, client: Client) -> None:
        await client.deploy(workflow("hears", [{"hear": {"listen": {"to": ONE}}}]))
        await send(client)
        assert await verdict(client) == ("nobody", "no run listens here now")
        [one] = await told(client)
        assert (one["run"], one["workflow"]) == (None, "tests/hears:1.0.0")

    async def test_a_run_that_had_ended(self, client: Client) -> None:
        run = await listening(client, ONE)
        assert (await client.post(f"/api/v1/runs/{run}:cancel")).status == 202
        await send(client)
        [one] = await told(client, query=f"?run={run}")
        assert one["verdict"] == "no"
        assert one["reason"].startswith("the run had ended (cancelled) at "), one

    async def test_an_event_that_a_suspended_run_has_been_given(self, client: Client) -> None:
        run = await listening(client, ONE)
        await client.post(f"/api/v1/runs/{run}:suspend")
        await send(client)
        assert await verdict(client) == ("delivered", "taken at T")
        assert (await client.get(f"/api/v1/runs/{run}")).body["status"] == "suspended"

    async def test_a_run_that_ended_without_an_event_that_it_was_given(self, client: Client) -> None:
        filters = {"all": [{"with": {"type": "order.paid"}}, {"with": {"type": "order.sent"}}]}
        run = await listening(client, filters)
        await send(client, "e1")
        await send(client, "e2")
        assert (await verdict(client, "e2", settled="held"))[0] == "held"
        await client.post(f"/api/v1/runs/{run}:cancel")
        await until_status(client, run, "cancelled")
        reason = "delivered, but the run had ended at T before it took the event"
        found = {(one["verdict"], re.sub(r"at 2\S+", "at T", one["reason"])) for one in await told(client, "e2")}
        assert ("no", reason) in found

    async def test_an_event_that_another_task_of_the_run_may_take(self, client: Client) -> None:
        once = {"one": {"with": {"type": "order.paid"}}}
        do = [{"first": {"listen": {"to": once}}}, {"nap": {"wait": {"hours": 1}}}, {"then": {"listen": {"to": once}}}]
        await client.deploy(workflow("twice", do))
        run = await started(client, "twice")
        await send(client, "e1")
        async with asyncio.timeout(20):
            while (await waits(client, run))[0]["kind"] != "timer":
                pass
        await send(client, "e2")
        found = await told(client, "e2")
        assert [(one["reference"], one["verdict"], one["reason"]) for one in found] == [
            ("/do/0/first", "nobody", "no run listens here now"),
            ("/do/2/then", "nobody", "no run listens here now"),
        ]
        [first, then] = await told(client, "e2", f"?run={run}")
        assert (first["reason"], then["reason"]) == ("the run does not listen here now",) * 2

    async def test_an_event_that_names_no_type(self, client: Client) -> None:
        await listening(client, {"one": {"with": {"source": "/other"}}})
        await send(client)
        assert await verdict(client) == ("no", 'with.source: expected "/other", but was "/shop"')

    async def test_an_answer_of_a_tool(self, client: Client) -> None:
        await tasks.registered(client, "m")
        await tasks.deployed(client, "asks")
        run = await tasks.started(client, "asks")
        answer = tasks.said(await tasks.one_pulled(client, "m"), "started")
        await client.send("POST", "/api/v1/events", answer, media="application/cloudevents+json")
        async with asyncio.timeout(20):
            while True:
                [one] = (await client.get(f"{name(answer['id'], '/tests')}/matches")).body["candidates"]
                if one["verdict"] == "delivered":
                    break
        assert (one["run"], one["reason"]) == (run, "delivered as an answer to the call")

    async def test_another_type_for_who_asks_about_one_run(self, client: Client) -> None:
        run = await listening(client, {"one": {"with": {"type": "order.payed"}}})
        await send(client)
        assert await told(client) == []
        [one] = await told(client, query=f"?run={run}")
        assert one["reason"] == 'with.type: expected "order.payed", but was "order.paid"'

    async def test_more_listeners_than_are_told_of(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.runtime.why_events.MAX_WHY_CANDIDATES", 2)
        for order in "abc":
            await listening(client, correlated(), data={"order": order})
        await send(client, data={"order": "d"})
        answer = (await client.get(f"{name('e1')}/matches")).body
        assert (len(answer["candidates"]), answer["more"]) == (2, True)

    async def test_no_such_event(self, client: Client) -> None:
        answer = await client.get(f"{name('none')}/matches")
        assert (answer.status, answer.body["detail"]) == (
            404,
            "there is no event 'none' of '/shop'; old ones are deleted",
        )
        assert (await client.get(f"{name('none')}/matches?run=x")).status == 400


async def waits(client: Client, run: str) -> list[Json]:
    answer = await client.get(f"/api/v1/runs/{run}/why")
    assert answer.status == 200, answer
    return answer.body["waits"]


class TestRuns:
    async def test_an_event(self, client: Client) -> None:
        wanted = {"one": {**correlated(source="/shop")["one"]}}
        run = await listening(client, wanted, data={"order": "A-1"}, timeout={"after": {"minutes": 5}})
        [one] = await waits(client, run)
        assert one["what"] == 'an event with with.type "order.paid", with.source "/shop", correlate.order "A-1"'
        command = """penstock send order.paid --source /shop --data '{"order":"A-1"}'"""
        assert one["ends"] == f"an event like that: {command}"
        assert (one["kind"], one["reference"], one["until_what"]) == ("event", "/do/0/hear", "the timeout of hear")
        assert one["filters"][0]["clauses"] == [
            {"clause": "with.type", "expected": "order.paid"},
            {"clause": "with.source", "expected": "/shop"},
            {"clause": "correlate.order", "from": "${ .data.order }", "expected": "A-1"},
        ]
        assert one["since"] < one["until"]

    async def test_a_timer(self, client: Client) -> None:
        await client.deploy(workflow("waits", [{"nap": {"wait": {"hours": 1}}}], timeout={"after": {"days": 1}}))
        run = await started(client, "waits")
        [one] = await waits(client, run)
        assert (one["kind"], one["what"]) == ("timer", "time: a wait of the document")
        assert (one["until_what"], one["ends"]) == (
            "the end of the wait",
            f"time alone; penstock cancel {run} ends the run",
        )

    async def test_a_call_without_a_tool(self, client: Client) -> None:
        await client.deploy(workflow("calls", [{"ask": {"call": "numbers"}}]))
        run = await started(client, "calls", status="running")
        async with asyncio.timeout(20):
            while "reason" not in (one := (await waits(client, run))[0]):
                pass
        assert one["what"] == (
            "the answer of the capability numbers, which has not begun: no tool provides the capability 'numbers'; "
            "waiting for one until the deadline"
        )
        assert one["ends"] == "a tool for it: penstock tools register NAME --capability numbers --endpoint URL"
        assert one["until_what"] == "the longest time that a call may take"

    async def test_a_call_under_way_names_the_host_alone(self, client: Client) -> None:
        silent = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        call = {"call": "http", "with": {"method": "post", "endpoint": f"http://127.0.0.1:{port}/p?key=hidden"}}
        await client.deploy(workflow("calls", [{"ask": call}]))
        run = await started(client, "calls", status="running")
        [one] = await waits(client, run)
        assert one["what"] in (
            f"the answer of POST 127.0.0.1:{port}",
            f"the answer of POST 127.0.0.1:{port}, which has not begun: waiting for a place among the calls under way",
        )
        assert "hidden" not in str(one)
        await client.post(f"/api/v1/runs/{run}:cancel")
        silent.close()

    async def test_tools_that_take_work_by_event(self, client: Client) -> None:
        await tasks.registered(client, "m")
        await tasks.deployed(client, "asks")
        run = await tasks.started(client, "asks")
        task = await tasks.one_pulled(client, "m")
        [one] = await waits(client, run)
        assert (one["kind"], one["what"]) == (
            "tools",
            "tools that take checknumber by event; offered to m; nobody has started yet",
        )
        assert one["ends"] == f"m, by an event checknumber.started with triggeredid {task['id']}"
        await tasks.say(client, task, "started")
        async with asyncio.timeout(20):
            while not (one := (await waits(client, run))[0])["participants"]:
                pass
        assert re.sub(r" at 2\S+Z", " at T", one["what"]) == (
            "tools that take checknumber by event; offered to m; m: started at T; last heard of at T"
        )
        assert one["ends"] == f"m, by an event checknumber.finished with triggeredid {task['id']}"

    async def test_a_run_that_it_started(self, client: Client) -> None:
        await client.deploy(workflow("hears", [{"hear": {"listen": {"to": ONE}}}]))
        do = [{"other": {"run": {"workflow": {"namespace": "tests", "name": "hears", "version": "1.0.0"}}}}]
        await client.deploy(workflow("parent", do))
        run = await started(client, "parent", status="running")
        [one] = await waits(client, run)
        assert (one["kind"], one["what"]) == ("run", f"the end of the run {one['run']}")
        assert one["ends"] == f"penstock why {one['run']} tells what that one waits for"

    async def test_the_delay_before_an_attempt(self, client: Client) -> None:
        failing = {"raise": {"error": {"type": "https://e.example/x", "status": 500, "title": "Bad", "detail": "luck"}}}
        retry = {"delay": {"hours": 1}, "limit": {"attempt": {"count": 3}}}
        do = [{"again": {"try": [{"fails": failing}], "catch": {"retry": retry}}}]
        await client.deploy(workflow("retries", do))
        run = await started(client, "retries")
        [one] = await waits(client, run)
        assert one["what"] == "time: the delay before attempt 2; attempt 1 failed: Bad: luck"
        assert (one["kind"], one["until_what"]) == ("retry", "the next attempt")

    async def test_branches_wait_each_for_itself(self, client: Client) -> None:
        branches = [{"nap": {"wait": {"hours": 1}}}, {"hear": {"listen": {"to": ONE}}}]
        await client.deploy(workflow("forks", [{"both": {"fork": {"branches": branches}}}]))
        run = await started(client, "forks")
        assert [one["kind"] for one in await waits(client, run)] == ["timer", "event"]

    async def test_a_suspended_run(self, client: Client) -> None:
        run = await listening(client, ONE)
        await client.post(f"/api/v1/runs/{run}:suspend")
        held, hears = await waits(client, run)
        assert held["what"] == "the run is suspended; what it waits for goes on, but nothing follows"
        assert held["ends"] == f"penstock resume {run}, or penstock cancel {run}; time limits wait, too"
        assert hears["kind"] == "event"

    async def test_a_start_that_is_put_off(self, client: Client) -> None:
        await client.deploy(workflow("later", [{"nap": {"wait": {"hours": 1}}}]))
        answer = await client.post("/api/v1/workflows/tests/later/runs?at=2999-01-01T00:00:00Z", {})
        if answer.status == 400:
            answer = await client.post("/api/v1/workflows/tests/later/runs?at=2027-01-01T00:00:00Z", {})
        [one] = await waits(client, answer.body["id"])
        assert one["kind"] == "start"
        assert one["what"] == f"the run begins at {one['until']}"
        assert one["until_what"] == "the start that was asked for"

    async def test_a_run_that_has_ended_waits_for_nothing(self, client: Client) -> None:
        await client.deploy(workflow("done", [{"a": {"set": {"b": 1}}}]))
        run = (await client.post("/api/v1/workflows/tests/done/runs?wait=5", {})).body["id"]
        answer = (await client.get(f"/api/v1/runs/{run}/why")).body
        assert (answer["status"], answer["waits"]) == ("completed", [])
        assert answer["ended_at"]

    async def test_no_such_run(self, client: Client) -> None:
        assert (await client.get("/api/v1/runs/00000000-0000-7000-8000-000000000000/why")).status == 404

    async def test_secrets_are_masked(self, client: Client) -> None:
        assert (await client.send("PUT", "/api/v1/secrets/key", {"value": "a-secret-value"})).status in (200, 201, 204)
        run = await listening(client, correlated(), data={"order": "a-secret-value"})
        text = str(await waits(client, run))
        assert "a-secret-value" not in text
        assert "***" in text


class TestResend:
    async def test_an_event_is_sent_again_as_a_new_one(self, client: Client) -> None:
        first = await listening(client, ONE)
        await send(client, subject="s", data={"n": 1})
        await client.until_ended(first)
        again = await client.post(f"{name('e1')}:resend")
        assert again.status == 202, again
        event = again.body
        assert (event["penstockresendof"], event["source"], event["data"]) == ("e1", SOURCE, {"n": 1})
        assert event["id"] != "e1"
        second = (await client.post("/api/v1/workflows/tests/hears/runs", {})).body["id"]
        ended = await client.until_ended(second)
        assert ended["output"] == [{"n": 1}]

    async def test_nothing_that_is_not_there(self, client: Client) -> None:
        assert (await client.post(f"{name('none')}:resend")).status == 404


class TestStream:
    async def test_the_events_of_one_run(self, client: Client) -> None:
        wanted = {
            "any": [{"with": {"type": "order.paid"}, "correlate": {"n": {"from": "${ .data.n }", "expect": "1"}}}]
        }
        run = await listening(client, {**wanted, "until": False})
        async with client.opened(f"/api/v1/events/stream?run={run}") as frames:
            await send(client, "other", data={"n": 2})
            await send(client, "mine", data={"n": "1"})
            async with asyncio.timeout(20):
                async for _, event in frames:
                    assert event["id"] == "mine"
                    break

    async def test_no_such_run(self, client: Client) -> None:
        gone = "00000000-0000-7000-8000-000000000000"
        assert (await client.get(f"/api/v1/events/stream?run={gone}")).status == 404
        assert (await client.get("/api/v1/events/stream?run=x")).status == 400
