"""The example services keep their contract, in every language that runs here."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Final

import pytest

from examples.services.launch import (
    IMPLEMENTATIONS,
    RunningService,
    ServiceDidNotStart,
    languages,
    start_service,
)
from penstock.model.json_value import Json
from tests.conformance_data import conformance_json

EVERY_ONE: Final = [(name, language) for name, ways in IMPLEMENTATIONS.items() for language in ways]
ANSWER_TIMEOUT_S: Final = 10


@pytest.fixture(scope="module", params=EVERY_ONE, ids=lambda one: f"{one[0]}-in-{one[1]}")
def service(request: pytest.FixtureRequest) -> Iterator[RunningService]:
    name, language = request.param
    if language not in languages(name):
        pytest.skip(f"{language} does not run on this machine")
    with start_service(name, language) as running:
        yield running


def call(
    service: RunningService,
    method: str,
    path: str,
    body: bytes | None = None,
    content_type: str | None = None,
) -> tuple[int, bytes]:
    connection = HTTPConnection(service.base_url.removeprefix("http://"), timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request(method, path, body, {} if content_type is None else {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def event(service: RunningService, payload: Json) -> tuple[int, Json]:
    status, body = call(service, "POST", "/event", json.dumps(payload).encode(), "application/json")
    return status, json.loads(body)


def perform(service: RunningService, wanted: Json) -> tuple[int, bytes]:
    if "json" in wanted:
        body = json.dumps(wanted["json"]).encode()
        return call(service, wanted["method"], wanted["path"], body, "application/json")
    return call(service, wanted["method"], wanted["path"])


def cases_for(name: str) -> list[Json]:
    cases = conformance_json("machinery", "http-cases.json")["cases"]
    return [case for case in cases if case["target"] == name]


@pytest.mark.mission("M118")
def test_every_case_of_the_service_holds(service: RunningService):
    cases = cases_for(service.name)
    assert len([case for case in cases if case["group"] == "asserted"]) == 5
    for case in cases:
        expected = {**case["expect"], **case.get("superset_should", {})}
        status, body = perform(service, case["request"])
        assert status == expected["status"], case["name"]
        if expected.get("empty"):
            assert body == b"", case["name"]
        if "body" in expected:
            assert json.loads(body) == expected["body"], case["name"]


@pytest.mark.mission("M118")
@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("tick tock", {"upper": "TICK TOCK", "reverse": "kcot kcit", "space-counter": 1}),
        ("  ", {"upper": "  ", "reverse": "  ", "space-counter": 2}),
        ("déjà vu 🎈", {"upper": "DÉJÀ VU 🎈", "reverse": "🎈 uv àjéd", "space-counter": 2}),
        ("12", {"upper": "12", "reverse": "21", "space-counter": 0}),
        ("a\tb\u00a0c", {"upper": "A\tB\u00a0C", "reverse": "c\u00a0b\ta", "space-counter": 0}),
    ],
)
def test_a_text_is_transformed_alike_in_every_language(
    service: RunningService, text: str, results: dict[str, str | int]
):
    assert event(service, {"message": text}) == (200, {"message": results[service.name]})


@pytest.mark.parametrize("payload", [{"message": 0}, {"message": False}, {"message": ["a"]}, [1], "text", 7])
def test_a_message_that_is_no_text_is_refused(service: RunningService, payload: Json):
    status, answer = event(service, payload)
    assert status == 400
    assert answer["message"]


@pytest.mark.parametrize("payload", [{}, [], "", 0, None])
def test_an_empty_payload_is_refused(service: RunningService, payload: Json):
    assert event(service, payload) == (400, {"message": "payload can not be empty."})


def test_a_missing_message_is_refused(service: RunningService):
    assert event(service, {"message": None}) == (400, {"message": "message field is missing on payload."})


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"message": "a"} b', b""])
def test_malformed_json_is_refused(service: RunningService, body: bytes):
    status, answer = call(service, "POST", "/event", body, "application/json; charset=utf-8")
    assert (status, json.loads(answer)) == (400, {"message": "payload is not valid JSON."})


def test_another_content_type_is_refused(service: RunningService):
    status, answer = call(service, "POST", "/event", b'{"message": "a"}', "text/plain")
    assert (status, json.loads(answer)) == (415, {"message": "JSON is expected."})


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/event", 405), ("POST", "/infos", 405)]
)
def test_other_paths_and_methods_are_refused(service: RunningService, method: str, path: str, status: int):
    assert call(service, method, path)[0] == status


def test_a_body_over_the_limit_is_refused_unread(service: RunningService):
    port = int(service.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
        connection.sendall(
            b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000001\r\n\r\n"
        )
        with connection.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"413"


def test_an_idle_connection_delays_nobody(service: RunningService):
    port = int(service.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S):
        assert call(service, "GET", "/healthcheck")[0] == 204


@pytest.mark.parametrize("name", list(IMPLEMENTATIONS))
def test_infos_name_the_address_that_was_asked_for(name: str):
    for language in languages(name):
        with start_service(name, language, address="http://elsewhere:81/x") as running:
            assert json.loads(call(running, "GET", "/infos")[1])["address"] == "http://elsewhere:81/x"
        with start_service(name, language, address="self") as running:
            registration = json.loads(call(running, "GET", "/infos")[1])
            assert registration["address"] == f"{running.base_url}/event"
            path = registration["address"].removeprefix(running.base_url)
            body = json.dumps({field["name"]: "a" for field in registration["inputs"]}).encode()
            status, answer = call(running, "POST", path, body, "application/json")
            assert status == 200
            assert set(json.loads(answer)) == {field["name"] for field in registration["outputs"]}


def test_a_stopped_service_is_gone():
    running = start_service("upper")
    running.stop()
    running.stop()
    assert running.process.returncode is not None
    with pytest.raises(ConnectionRefusedError):
        call(running, "GET", "/healthcheck")


def test_unknown_services_and_languages_are_refused():
    with pytest.raises(ValueError, match="upper, reverse, space-counter"):
        start_service("lower")
    with pytest.raises(ValueError, match="upper cannot run in cobol here"):
        start_service("upper", "cobol")


def test_a_service_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("examples.services.launch.GREETING", "good morning from ")
    with pytest.raises(ServiceDidNotStart, match="it still runs"):
        start_service("upper")
