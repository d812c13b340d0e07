"""Drive one DSL case through a server: deploy, start, feed, steer, and observe."""

import asyncio
import json
from time import monotonic

from penstock.model.json_value import Json

from .case import Case, accepted_statuses
from .client import Answer, Api
from .expectation import ENDED, Observed
from .refusals import Refusal, names_refusal

RUN_DEADLINE_S = 30.0
STAYS_MS = 300
"""How long a run that must not move is watched."""
_LOOK_INTERVAL_S = 0.01


def as_text(document: Json) -> str:
    """The JSON text that is sent, indented so that line numbers in answers mean something."""
    return json.dumps(document, indent=2, ensure_ascii=False)


async def deploy_case(api: Api, case: Case) -> Answer:
    """Store the secrets, the subworkflows and the case's workflow; the last answer, unjudged."""
    for name, value in case.secrets.items():
        await api.put_secret(name, value)
    for workflow in case.subworkflows:
        (await api.deploy(as_text(workflow), "application/json")).expect(201)
    return await api.deploy(as_text(case.workflow), "application/json")


async def run_case(api: Api, case: Case) -> Observed:
    """Start the deployed case and return what it showed when it ended, or came to its expected rest."""
    if "instances" in case.expected:
        return await _watch_schedule(api, case)
    document = case.workflow["document"]
    began = monotonic()
    if case.events_in or case.actions:
        started = await api.start(document["namespace"], document["name"], case.input, version=document["version"])
        run_id = started.expect(202).body["id"]
        await _feed(api, run_id, case)
        run = await _at_rest(api, run_id, case)
    else:
        started = await api.start(
            document["namespace"],
            document["name"],
            case.input,
            version=document["version"],
            wait_s=RUN_DEADLINE_S,
        )
        run = started.expect(200).body
    elapsed_ms = (monotonic() - began) * 1000
    return await _observed(api, run, elapsed_ms, case)


async def _feed(api: Api, run_id: str, case: Case) -> None:
    for step in case.actions:
        await until_status(api, run_id, step["when"])
        await api.control(run_id, step["do"])
    for step in case.events_in:
        await until_status(api, run_id, step["when"])
        await api.send_event(step["event"])


async def until_status(api: Api, run_id: str, *wanted: str) -> Json:
    """The run, once its status is one of these; fails when it ends otherwise or the deadline passes."""
    deadline = monotonic() + RUN_DEADLINE_S
    while True:
        run = await api.run(run_id)
        if run["status"] in wanted:
            return run
        if run["status"] in ENDED or monotonic() > deadline:
            raise AssertionError(
                f"run {run_id}: status: expected {' or '.join(wanted)}, "
                f"actual {run['status']!r} with error {run.get('error')!r}"
            )
        await asyncio.sleep(_LOOK_INTERVAL_S)


async def _at_rest(api: Api, run_id: str, case: Case) -> Json:
    resting = [status for status in accepted_statuses(case.expected) if status not in ENDED]
    if not resting:
        return await until_status(api, run_id, *ENDED)
    run = await until_status(api, run_id, *resting)
    until = monotonic() + max(case.observe_ms, STAYS_MS) / 1000
    while monotonic() < until and run["status"] in resting:
        await asyncio.sleep(_LOOK_INTERVAL_S)
        run = await api.run(run_id)
    return run


async def _observed(api: Api, run: Json, elapsed_ms: float, case: Case) -> Observed:
    run_id = run["id"]
    now = await api.run(run_id)
    if now["status"] != run["status"]:
        raise AssertionError(f"run {run_id}: status: answered {run['status']!r}, read back {now['status']!r}")
    sent = {(step["event"]["source"], step["event"]["id"]) for step in case.events_in}
    events = await api.items(f"/api/v1/events?run={run_id}")
    return Observed(
        status=now["status"],
        output=now.get("output"),
        error=now.get("error"),
        tasks=now["tasks"],
        events_out=[e for e in events if (e["source"], e["id"]) not in sent],
        history=await api.items(f"/api/v1/runs/{run_id}/history"),
        elapsed_ms=elapsed_ms,
    )


async def _watch_schedule(api: Api, case: Case) -> Observed:
    """All runs that a schedule started within the case's time, each awaited to its end."""
    began = monotonic()
    document = case.workflow["document"]
    if case.expected["instances"].get("start_one"):
        (await api.start(document["namespace"], document["name"], case.input)).expect(202)
    for step in case.events_in:
        await api.send_event(step["event"])
    # The case itself says how long to watch: a schedule that fires too often shows only in time.
    await asyncio.sleep(case.observe_ms / 1000)
    listed = await api.items("/api/v1/runs")
    runs = [await until_status(api, run["id"], *ENDED) for run in listed]
    return Observed(status="scheduled", runs=runs, elapsed_ms=(monotonic() - began) * 1000)


def refusal_problems(answer: Answer, text: str, refusals: list[Refusal]) -> list[str]:
    """What is wrong with the answer to a workflow that must be refused; [] when it is as promised.

    Every answer must be 422 problem details whose `errors` each give pointer, line, column and
    message. When the document uses refused constructs, some error must name one of them (in its
    message or pointer), at a line of the task or member that holds it.
    """
    if answer.status != 422:
        return [f"status: expected 422, actual {answer}"]
    problem = answer.expect_problem(422)
    errors = problem.get("errors")
    if not isinstance(errors, list) or not errors:
        return [f"errors: expected at least one, actual {problem!r}"]
    found = [p for number, error in enumerate(errors) for p in _malformed(number, error, text)]
    if found or not refusals:
        return found
    if not any(names_refusal(error, refusal) for error in errors for refusal in refusals):
        wanted = [f"{refusal.construct} at {refusal.pointer}" for refusal in refusals]
        return [f"errors: expected one that names {' or '.join(wanted)}, actual {errors!r}"]
    return []


def _malformed(number: int, error: Json, text: str) -> list[str]:
    if not isinstance(error, dict):
        return [f"errors[{number}]: expected an object, actual {error!r}"]
    found: list[str] = []
    lines = text.count("\n") + 1
    for member, fits in (
        ("pointer", lambda value: isinstance(value, str) and (value == "" or value.startswith("/"))),
        ("line", lambda value: type(value) is int and 1 <= value <= lines),
        ("column", lambda value: type(value) is int and value >= 1),
        ("message", lambda value: isinstance(value, str) and value.strip() != ""),
    ):
        if not fits(error.get(member)):
            found.append(f"errors[{number}].{member}: not as promised, actual {error!r}")
    return found
