"""The machinery surface, by its 77 language-neutral HTTP cases and the mission rows beside them."""

from collections.abc import AsyncIterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conformance_data import conformance_dir

from .support.client import Api, api_client
from .support.http_matchers import body_differences
from .support.machinery import HttpCase, MachineryRun, read_http_cases
from .support.recorder import Recorder, running_recorder
from .support.server import running_server
from .support.services import ServiceBases

CASES = read_http_cases(conformance_dir() / "machinery" / "http-cases.json")
POSTMAN = [case for case in CASES if case.name.startswith("postman-")]

ROWS_BY_NAME = {
    "event-two-services-in-order": "M003",
    "event-outputs-accumulate-and-feed-the-next-service": "M004",
    "service-*": "M012",
    "event-data-envelope-not-unwrapped": "M096",
    "promised-*": "M097",
    "workflow-create-unknown-service": "M098",
    "service-create-*": "M099",
    "workflow-create-*": "M099",
    "*-updates-and-keeps-the-id": "M100",
    "workflow-create-same-service-twice": "M102",
}
"""The mission table's rows whose test names cases: name pattern to row."""

FAILING_SERVICE = {
    "event-service-unreachable": "dead",
    "event-service-answers-500-json": "fail",
    "event-continues-after-a-failing-service": "fail",
    "event-service-answers-json-array": "list",
}
"""The service that the 502 of a case must name."""


def rows_of(case: HttpCase) -> list[str]:
    """The mission rows that a case is part of."""
    rows = ["M148"]
    if case.group == "asserted":
        rows += ["M011", "M094"] if case.target == "machinery" else ["M118"]
    if case.expect["status"] == 502:
        rows.append("M016")
    return rows + [row for pattern, row in ROWS_BY_NAME.items() if fnmatch(case.name, pattern)]


def _as_parameter(case: HttpCase) -> object:
    return pytest.param(case, id=case.name, marks=pytest.mark.mission(*rows_of(case)))


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with running_recorder() as running:
        yield running


@pytest.fixture
def machinery(api: Api, services: ServiceBases, recorder: Recorder) -> MachineryRun:
    """A fresh server beside the three services and the recorder."""
    bases = {
        "MACHINERY_BASE": api.base_url,
        "UPPER_BASE": services["upper"],
        "REVERSE_BASE": services["reverse"],
        "SPACE_BASE": services["space-counter"],
        "RECORDER_BASE": recorder.base_url,
    }
    return MachineryRun({"machinery": api}, bases)


@pytest.mark.parametrize("case", [_as_parameter(case) for case in CASES if case.target != "machinery"])
async def test_example_service_case(case: HttpCase, services: ServiceBases) -> None:
    async with api_client(services[case.target]) as service:
        problems = await MachineryRun({case.target: service}, {}).play(case)
    assert not problems, f"case {case.name}:\n  " + "\n  ".join(problems)


@pytest.mark.parametrize("case", [_as_parameter(case) for case in CASES if case.target == "machinery"])
async def test_case(case: HttpCase, machinery: MachineryRun) -> None:
    earlier = POSTMAN[: POSTMAN.index(case)] if case in POSTMAN else []
    for before in earlier:
        problems = await machinery.play(before)
        assert not problems, f"case {case.name}, before it {before.name}: {problems}"
    problems = await machinery.play(case)
    assert not problems, f"case {case.name}:\n  " + "\n  ".join(problems)


@pytest.mark.mission("M016")
@pytest.mark.parametrize(("name", "service"), FAILING_SERVICE.items())
async def test_failing_service_is_named(
    name: str, service: str, api: Api, services: ServiceBases, recorder: Recorder
) -> None:
    address = {"dead": "http://127.0.0.1:1/"}.get(service, f"{recorder.base_url}/{service}")
    for registered, url in ((service, address), ("later", f"{recorder.base_url}/rec/later")):
        (await api.send_json("POST", "/s", {"name": registered, "address": url})).expect(201)
    stored = await api.send_json("POST", "/w", {"name": "chain", "services": [service, "later"]})
    answer = await api.send_json("POST", f"/e/{stored.expect(201).body['workflow_id']}", {"message": "m"})
    problem = answer.expect_problem(502)
    assert service in problem["message"], f"case {name}: message: expected {service!r} in it, actual {problem!r}"
    called = [path for path, _ in recorder.received]
    assert "/rec/later" not in called, f"case {name}: later services: expected no call, actual {called!r}"


@pytest.mark.mission("M058")
async def test_missing_declared_input_is_named_and_nothing_is_called(api: Api, recorder: Recorder) -> None:
    declared = [{"name": "message", "type": "string", "description": "short"}]
    service = {"name": "rec", "address": f"{recorder.base_url}/rec/a", "inputs": declared}
    (await api.send_json("POST", "/s", service)).expect(201)
    stored = await api.send_json("POST", "/w", {"name": "needs", "services": ["rec"], "inputs": declared})
    answer = await api.send_json("POST", f"/e/{stored.expect(201).body['workflow_id']}", {"other": 1})
    answer.expect(422)
    assert "message" in answer.text, f"body: expected the missing input's name 'message' in it, actual {answer}"
    assert recorder.received == [], f"service calls: expected none, actual {recorder.received!r}"


@pytest.mark.mission("M100")
async def test_service_again_updates_and_keeps_the_id(api: Api, services: ServiceBases) -> None:
    first = await api.send_json("POST", "/s", {"name": "twice", "address": f"{services['upper']}/event"})
    again = await api.send_json("POST", "/s", {"name": "twice", "address": f"{services['reverse']}/event"})
    kept, now = first.expect(201).body["service_id"], again.expect(201).body["service_id"]
    assert kept == now, f"service_id: expected {kept!r} again, actual {now!r}"
    stored = await api.send_json("POST", "/w", {"name": "uses-twice", "services": ["twice"]})
    answer = await api.send_json("POST", f"/e/{stored.expect(201).body['workflow_id']}", {"message": "ab"})
    assert answer.expect(201).body == {"message": "ba"}, f"expected the newer address to be called, got {answer}"


@pytest.mark.mission("M101")
async def test_definitions_carry_their_creation_time(api: Api) -> None:
    (await api.send_json("POST", "/s", {"name": "timed", "address": "http://timed.local/"})).expect(201)
    (await api.send_json("POST", "/w", {"name": "timed-flow", "services": ["timed"]})).expect(201)
    for path, name in (("/s", "timed"), ("/w", "timed-flow")):
        listed = (await api.request("GET", path)).expect(200).body["items"]
        item = next((item for item in listed if item["name"] == name), None)
        wanted = {"$has": {"created_at": {"$type": "string", "$format": "date-time"}}}
        problems = body_differences(wanted, item, further_members=True)
        assert not problems, f"GET {path}, {name}: {problems}"


async def test_store_survives_a_restart(tmp_path: Path, services: ServiceBases) -> None:
    store = f"sqlite:{tmp_path / 'machinery.db'}"
    async with running_server(tmp_path, store=store) as base_url, api_client(base_url) as api:
        (await api.send_json("POST", "/s", {"name": "upper", "address": f"{services['upper']}/event"})).expect(201)
        stored = (await api.send_json("POST", "/w", {"name": "kept", "services": ["upper"]})).expect(201)
    async with running_server(tmp_path, store=store) as base_url, api_client(base_url) as api:
        answer = await api.send_json("POST", f"/e/{stored.body['workflow_id']}", {"message": "a b"})
        assert answer.expect(201).body == {"message": "A B"}, f"after a restart: {answer}"
