"""Whatever goes wrong, the answer is problem details and never a traceback."""

import gzip
import json

import pytest
from aiohttp import web

from penstock.errors import Conflict, InfrastructureError, NotFound, TooLarge, Unprocessable
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES, MAX_JSON_DEPTH
from penstock.server.app import RunningServer
from penstock.server.bodies import read_document, read_json
from penstock.server.refusals import TooManyStreams
from penstock.server.replies import reply
from tests.server.client import Answer
from tests.server.support import PROBLEM, chunked_post, endpoint, raw_exchange, serving, speaking

JSON = "application/json"
FINDING = Diagnostic("error", "/do/0", "is wrong", "shape", 3, 5)
RAISED = [
    (NotFound("no such run"), 404, "no such run"),
    (Conflict("it ended"), 409, "it ended"),
    (TooLarge("too much"), 413, "too much"),
    (Unprocessable("one error", errors=(FINDING,)), 422, "one error"),
    (InfrastructureError("the disk is full"), 503, "the disk is full"),
    (TooManyStreams("no more"), 503, "no more"),
]


def problem_of(answer: Answer) -> Json:
    """The problem details of an answer, checked for their shape."""
    assert answer.media == PROBLEM
    assert answer.body["status"] == answer.status
    assert answer.body["type"]
    assert answer.body["title"]
    assert answer.body["detail"]
    return answer.body


@pytest.mark.parametrize(("error", "status", "detail"), RAISED)
async def test_an_exception_becomes_its_problem(error: Exception, status: int, detail: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    async with speaking([endpoint("GET", "/x", handler)]) as client:
        answer = await client.get("/x")
    assert answer.status == status
    assert problem_of(answer)["detail"] == detail
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_findings_stand_under_errors() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        without_text = Diagnostic("error", "", "is odd", "odd")
        raise Unprocessable("two errors", errors=(FINDING, without_text))

    async with speaking([endpoint("GET", "/x", handler)]) as client:
        problem = problem_of(await client.get("/x"))
    placed = {"pointer": "/do/0", "message": "is wrong", "code": "shape", "line": 3, "column": 5}
    unplaced = {"pointer": "", "message": "is odd", "code": "odd"}
    assert problem["errors"] == [{**placed, "severity": "error"}, {**unplaced, "severity": "error"}]


async def test_a_defect_is_500_without_its_words_and_without_values_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        secret = "value".swapcase()
        raise RuntimeError(f"inner words, {len(secret)} letters")

    async with speaking([endpoint("GET", "/x", handler)]) as client:
        answer = await client.get("/x")
    assert answer.status == 500
    assert "inner words" not in str(problem_of(answer))
    log = capsys.readouterr().err
    assert "RuntimeError" in log and "test_problems.py" in log
    assert "inner words" not in log
    assert "VALUE" not in log


async def test_unknown_paths_and_methods() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return reply({})

    async with speaking([endpoint("GET", "/x", handler), endpoint("PUT", "/x", handler)]) as client:
        unknown = await client.get("/y")
        assert (unknown.status, problem_of(unknown)["status"]) == (404, 404)
        wrong = await client.send("DELETE", "/x")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
        problem_of(wrong)
        options = await client.send("OPTIONS", "/x")
        assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, PUT")


async def _echo(request: web.Request) -> web.StreamResponse:
    return reply(await read_json(request))


BAD_BODIES = {
    "broken": b"{bad",
    "empty": b"",
    "two values": b"1 2",
    "not UTF-8": b"\xff",
    "not UTF-8 in a string": b'"\xff"',
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "overflow": b"1e999",
    "too large an integer": b"18446744073709551616",
    "too small an integer": b"-9223372036854775809",
    "half a surrogate pair": b'"\\ud800"',
    "half a surrogate pair as key": b'{"\\udfff":1}',
    "unclosed": b"[" * 200_000,
    "one too deep": b"[" * (MAX_JSON_DEPTH + 1) + b"1" + b"]" * (MAX_JSON_DEPTH + 1),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_bodies_that_are_no_good_json(body: bytes) -> None:
    async with speaking([endpoint("POST", "/x", _echo)]) as client:
        answer = await client.send("POST", "/x", text=body, media=JSON)
    assert answer.status == 400
    problem_of(answer)


GOOD_BODIES = {
    "largest integer": b"18446744073709551615",
    "smallest integer": b"-9223372036854775808",
    "NUL in a string": b'"\\u0000"',
    "a key twice": b'{"a":1,"a":2}',
    "null": b" null ",
    "as deep as can be": b"[" * MAX_JSON_DEPTH + b"1" + b"]" * MAX_JSON_DEPTH,
    "as long as can be": b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"',
}


@pytest.mark.parametrize("body", GOOD_BODIES.values(), ids=GOOD_BODIES)
async def test_bodies_at_the_limit(body: bytes) -> None:
    async with speaking([endpoint("POST", "/x", _echo)]) as client:
        answer = await client.send("POST", "/x", text=body, media="application/json; charset=utf-8")
    assert answer.status == 200, answer


async def test_a_body_over_the_limit_is_413_however_it_is_sent() -> None:
    body = b'"' + b"x" * (MAX_BODY_BYTES - 1) + b'"'
    async with (
        serving([endpoint("POST", "/x", _echo)]) as base,
        speaking([endpoint("POST", "/x", _echo)]) as client,
    ):
        answer = await client.send("POST", "/x", text=body, media=JSON)
        assert answer.status == 413
        problem_of(answer)
        chunked = await raw_exchange(base, chunked_post("/x", body))
        assert chunked.split(b" ")[1] == b"413"
        assert PROBLEM.encode() in chunked


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_other_content_types_are_415(media: str) -> None:
    async def document(request: web.Request) -> web.StreamResponse:
        return reply(await read_document(request))

    async with speaking([endpoint("POST", "/x", _echo), endpoint("POST", "/document", document)]) as client:
        for path in ("/x", "/document"):
            answer = await client.send("POST", path, text=b"{}", media=media)
            assert answer.status == 415
            problem_of(answer)


async def test_a_compressed_body_is_415() -> None:
    async with speaking([endpoint("POST", "/x", _echo)]) as client:
        headers = {"Content-Encoding": "gzip"}
        answer = await client.send("POST", "/x", text=gzip.compress(b"{}"), media=JSON, headers=headers)
    assert answer.status == 415
    problem_of(answer)


async def test_what_can_be_read_can_be_asked_for_its_head() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return reply({"a": 1})

    async with speaking([endpoint("GET", "/x", handler)]) as client:
        answer = await client.send("HEAD", "/x")
        assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "7", None)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /e/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_told_in_problem_details(server: RunningServer, request_bytes: bytes) -> None:
    head, _, body = (await raw_exchange(server.base_url, request_bytes)).partition(b"\r\n\r\n")
    assert b" 400 " in head.partition(b"\r\n")[0]
    assert b"content-type: " + PROBLEM.encode() in head.lower() and b"aiohttp" not in head
    told = json.loads(body)
    assert told["status"] == 400 and "cannot be read" in told["detail"]
    assert "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 5 not in told["detail"]
