"""Whatever goes wrong, the answer is problem details and never a traceback."""

import aiohttp
import pytest
from aiohttp import web

from penstock.errors import Conflict, InfrastructureError, NotFound, TooLarge, Unprocessable
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES, MAX_JSON_DEPTH
from penstock.server.bodies import read_document, read_json
from penstock.server.refusals import TooManyStreams
from penstock.server.replies import reply
from tests.server.support import PROBLEM, endpoint, serving

FINDING = Diagnostic("error", "/do/0", "is wrong", "shape", 3, 5)
RAISED = [
    (NotFound("no such run"), 404, "no such run"),
    (Conflict("it ended"), 409, "it ended"),
    (TooLarge("too much"), 413, "too much"),
    (Unprocessable("one error", errors=(FINDING,)), 422, "one error"),
    (InfrastructureError("the disk is full"), 503, "the disk is full"),
    (TooManyStreams("no more"), 503, "no more"),
]


async def problem_of(response: aiohttp.ClientResponse) -> Json:
    """The problem details of an answer, checked for their shape."""
    assert response.content_type == PROBLEM
    document = await response.json(content_type=None)
    assert document["status"] == response.status
    assert document["type"] and document["title"] and document["detail"]
    return document


@pytest.mark.parametrize(("error", "status", "detail"), RAISED)
async def test_an_exception_becomes_its_problem(error: Exception, status: int, detail: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    async with serving([endpoint("GET", "/x", handler)]) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x") as response:
            assert response.status == status
            assert (await problem_of(response))["detail"] == detail
            assert ("Retry-After" in response.headers) == (status == 503)


async def test_findings_stand_under_errors() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        without_text = Diagnostic("error", "", "is odd", "odd")
        raise Unprocessable("two errors", errors=(FINDING, without_text))

    async with serving([endpoint("GET", "/x", handler)]) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x") as response:
            assert (await problem_of(response))["errors"] == [
                {"pointer": "/do/0", "message": "is wrong", "code": "shape", "line": 3, "column": 5,
                 "severity": "error"},
                {"pointer": "", "message": "is odd", "code": "odd", "severity": "error"},
            ]  # fmt: skip


async def test_a_defect_is_500_without_its_words() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise RuntimeError("inner words")

    async with serving([endpoint("GET", "/x", handler)]) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/x") as response:
            assert response.status == 500
            assert "inner words" not in await response.text()


async def test_unknown_paths_and_methods() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return reply({})

    endpoints = [endpoint("GET", "/x", handler), endpoint("PUT", "/x", handler)]
    async with serving(endpoints) as base, aiohttp.ClientSession() as client:
        async with client.get(f"{base}/y") as response:
            assert response.status == 404
            await problem_of(response)
        async with client.delete(f"{base}/x") as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET, OPTIONS, PUT"
            await problem_of(response)
        async with client.options(f"{base}/x") as response:
            assert (response.status, response.headers["Allow"]) == (204, "GET, OPTIONS, PUT")


async def _echo(request: web.Request) -> web.StreamResponse:
    return reply(await read_json(request))


BAD_BODIES = [
    (b"{bad", 400), (b"", 400), (b"\xff", 400), (b'"\xff"', 400), (b"NaN", 400), (b"Infinity", 400), (b"1e999", 400),
    (b"18446744073709551616", 400), (b"-9223372036854775809", 400), (b'"\\ud800"', 400), (b'{"\\udfff":1}', 400),
    (b"[" * 200_000, 400), (b"[" * (MAX_JSON_DEPTH + 1) + b"1" + b"]" * (MAX_JSON_DEPTH + 1), 400), (b"1 2", 400),
    (b'"' + b"x" * MAX_BODY_BYTES + b'"', 413),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=range(len(BAD_BODIES)))
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_that_are_no_good_json(body: bytes, status: int, chunked: bool) -> None:
    headers = {"Content-Type": "application/json"}
    async with serving([endpoint("POST", "/x", _echo)]) as base, aiohttp.ClientSession() as client:
        async with client.post(f"{base}/x", data=body, headers=headers, chunked=chunked or None) as response:
            assert response.status == status
            await problem_of(response)


@pytest.mark.parametrize(
    "body", [b"18446744073709551615", b"-9223372036854775808", b'"\\u0000"', b'{"a":1,"a":2}', b" null ",
             b"[" * MAX_JSON_DEPTH + b"1" + b"]" * MAX_JSON_DEPTH, b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'],
    ids=range(7),
)  # fmt: skip
async def test_bodies_at_the_limit(body: bytes) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    async with serving([endpoint("POST", "/x", _echo)]) as base, aiohttp.ClientSession() as client:
        async with client.post(f"{base}/x", data=body, headers=headers) as response:
            assert response.status == 200, await response.text()


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_other_content_types_are_415(media: str | None) -> None:
    async def document(request: web.Request) -> web.StreamResponse:
        return reply(await read_document(request))

    endpoints = [endpoint("POST", "/x", _echo), endpoint("POST", "/document", document)]
    headers = {"Content-Type": media} if media else {}
    async with serving(endpoints) as base, aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as client:
        for path in ("x", "document"):
            async with client.post(f"{base}/{path}", data=b"{}", headers=headers) as response:
                assert response.status == 415
                await problem_of(response)
