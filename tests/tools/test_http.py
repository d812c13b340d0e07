"""`call: http` against a real server: what goes out, what comes back, and what every failure means."""

import asyncio
import base64
import gzip
import json
import socket

import pytest
from aiohttp import web

from penstock.errors import (
    AUTHENTICATION,
    AUTHORIZATION,
    COMMUNICATION,
    CONFIGURATION,
    RUNTIME,
    TIMEOUT,
    Fault,
)
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_REDIRECTS, MAX_VALUE_BYTES
from penstock.tools.contract import Outcome
from penstock.tools.http import perform_http

DEADLINE_AT = 1_010_000


@pytest.fixture
def call(client, context):
    async def perform(method: str, uri: str, *, deadline_at: int = DEADLINE_AT, **arguments: Json) -> Outcome:
        given = {"method": method, "uri": uri, **arguments}
        return await perform_http(client, given, context, call_id="call-7", deadline_at=deadline_at)

    return perform


def data_of(outcome: Outcome) -> Json:
    assert isinstance(outcome, Value), outcome
    return outcome.data


def fault_of(outcome: Outcome) -> Fault:
    assert isinstance(outcome, Fault), outcome
    return outcome


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestWhatGoesOut:
    async def test_the_call_id_is_the_idempotency_key_and_the_engine_names_itself(self, call, service):
        await call("get", service.on("/a", text="x"))
        (seen,) = service.seen
        assert seen.method == "GET"
        assert seen.headers["Idempotency-Key"] == "call-7"
        assert seen.headers["User-Agent"].startswith("penstock/")
        assert "Content-Type" not in seen.headers
        assert "Cookie" not in seen.headers

    async def test_a_key_that_the_author_wrote_stays(self, call, service):
        await call("post", service.on("/a"), headers={"idempotency-key": "order-9"})
        assert service.seen[0].headers.getall("Idempotency-Key") == ["order-9"]

    async def test_scalars_become_text_and_lists_repeat_the_query_key(self, call, service):
        uri = service.on("/a") + "?first=1%2C2"
        await call(
            "GET",
            uri,
            query={"n": 1, "x": 1.5, "yes": True, "none": None, "tag": ["a b", "c&d"]},
            headers={"X-N": 3, "X-L": [1, "b"]},
        )
        (seen,) = service.seen
        assert seen.query == [
            ("first", "1,2"),
            ("n", "1"),
            ("x", "1.5"),
            ("yes", "true"),
            ("tag", "a b"),
            ("tag", "c&d"),
        ]
        assert seen.raw_path == "/a?first=1%2C2&n=1&x=1.5&yes=true&tag=a%20b&tag=c%26d"
        assert seen.headers["X-N"] == "3"
        assert seen.headers["X-L"] == "1, b"

    @pytest.mark.parametrize("body", [{"a": [1, "ü"]}, [1, 2], "text", 7, True])
    async def test_a_body_is_json_unless_told_otherwise(self, call, service, body):
        await call("POST", service.on("/a"), body=body)
        (seen,) = service.seen
        assert json.loads(seen.body) == body
        assert seen.headers["Content-Type"] == "application/json"

    async def test_null_is_no_body(self, call, service):
        await call("POST", service.on("/a"), body=None)
        assert service.seen[0].body == b""

    async def test_another_content_type_sends_a_text_as_it_stands(self, call, service):
        await call("POST", service.on("/a"), body="a: 1\n", headers={"content-type": "application/yaml"})
        assert service.seen[0].body == b"a: 1\n"
        assert service.seen[0].headers["Content-Type"] == "application/yaml"

    async def test_an_object_can_go_out_as_a_form(self, call, service):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        await call("POST", service.on("/a"), body={"a b": "c&d", "n": [1, 2]}, headers=headers)
        assert service.seen[0].body == b"a%20b=c%26d&n=1&n=2"

    async def test_characters_that_no_uri_may_hold_are_escaped_and_escapes_stay(self, call, service):
        service.on("/ü b/c")
        await call("GET", service.base + "/ü b/c?q=ä%2F%zz")
        assert service.seen[0].raw_path == "/%C3%BC%20b/c?q=%C3%A4%2F%25zz"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"uri": "ftp://host/x"}, "'ftp'"),
            ({"uri": "/relative"}, "no scheme"),
            ({"uri": "http:///x"}, "names no host"),
            ({"uri": "http://user:word@host/"}, "credentials"),
            ({"uri": "http://host:99999/"}, "not valid"),
            ({"uri": "http://a b/"}, "space"),
            ({"uri": "http://evil\\@host/"}, "backslash"),
            ({"uri": ""}, "not empty"),
            ({"uri": 7}, "must be a text"),
            ({"method": "GE T"}, "method"),
            ({"method": "connect"}, "CONNECT"),
            ({"headers": {"X": "a\r\nY: b"}}, "line break"),
            ({"headers": {"a b": "c"}}, "name of a header"),
            ({"headers": {"Content-Length": "5"}}, "engine itself"),
            ({"headers": {"X": {"a": 1}}}, "must be a text"),
            ({"headers": ["X"]}, "must be an object"),
            ({"query": {"q": {"a": 1}}}, "must be a text"),
            ({"query": {"q": "a" * 20_000}}, "longer than"),
            ({"body": "x" * (MAX_VALUE_BYTES + 1)}, "larger than"),
            ({"body": {}, "headers": {"Content-Type": "multipart/form-data"}}, "cannot be made"),
        ],
    )
    async def test_what_makes_no_request_is_a_fault_and_nothing_is_sent(self, call, service, arguments, words):
        given = {"method": "POST", "uri": service.on("/a"), **arguments}
        fault = fault_of(await call(given.pop("method"), given.pop("uri"), **given))
        assert (fault.type, fault.status) == (CONFIGURATION, 400)
        assert words in fault.detail
        assert not fault.unknown_outcome
        assert service.seen == []


class TestCredentials:
    async def test_basic_from_fields(self, call, service):
        given = {"basic": {"username": "admin", "password": "pw"}}
        await call("GET", service.on("/a"), authentication=given)
        assert service.seen[0].headers["Authorization"] == "Basic YWRtaW46cHc="

    async def test_bearer_from_a_secret(self, call, service, context):
        context.secrets["key"] = {"token": "abc.def"}
        await call("GET", service.on("/a"), authentication={"bearer": {"use": "key"}})
        assert service.seen[0].headers["Authorization"] == "Bearer abc.def"

    async def test_a_missing_secret_is_authorization_403(self, call, service):
        fault = fault_of(await call("GET", service.on("/a"), authentication={"basic": {"use": "gone"}}))
        assert (fault.type, fault.status) == (AUTHORIZATION, 403)
        assert "gone" in fault.detail
        assert service.seen == []

    @pytest.mark.parametrize("value", ["word", {"username": "a"}, {"username": "a:b", "password": "c"}])
    async def test_a_secret_without_the_fields_is_authentication_401(self, call, service, context, value):
        context.secrets["key"] = value
        fault = fault_of(await call("GET", service.on("/a"), authentication={"basic": {"use": "key"}}))
        assert (fault.type, fault.status) == (AUTHENTICATION, 401)

    @pytest.mark.parametrize(
        ("scheme", "fields", "sent"),
        [
            ("basic", {"username": "admin", "password": "hunter22"}, "YWRtaW46aHVudGVyMjI="),
            ("bearer", {"token": "abc.def"}, "abc.def"),
        ],
    )
    async def test_a_fault_that_repeats_them_does_not_hold_them(self, call, service, scheme, fields, sent):
        problem = json.dumps({"title": f"no {sent}", "detail": sent, "seen": {"authorization": [f"Basic {sent}"]}})
        uri = service.on("/a", status=500, text=problem, content_type="application/problem+json")
        fault = fault_of(await call("GET", uri, authentication={scheme: fields}))
        assert sent in service.seen[0].headers["Authorization"]
        assert (fault.title, fault.detail) == ("no ***", "***")
        assert fault.extra == {"seen": {"authorization": ["Basic ***"]}}

    @pytest.mark.parametrize("given", [{"digest": {"username": "a", "password": "b"}}, {}, "basic"])
    async def test_other_schemes_are_refused_by_name(self, call, service, given):
        fault = fault_of(await call("GET", service.on("/a"), authentication=given))
        assert (fault.type, fault.status) == (CONFIGURATION, 400)

    async def test_a_token_cannot_bring_a_header_of_its_own(self, call, service):
        fault = fault_of(await call("GET", service.on("/a"), authentication={"bearer": {"token": "a\r\nX: y"}}))
        assert (fault.type, fault.status) == (AUTHENTICATION, 401)

    async def test_the_response_output_shows_no_credential(self, call, service, context):
        context.rendered = ("s3 cret",)
        output = data_of(
            await call(
                "GET",
                service.on("/a", text="ok"),
                output="response",
                query={"key": "s3 cret", "n": 1},
                headers={"X-Api-Key": "k", "X-Own": "is s3 cret!", "X-Plain": "p"},
                authentication={"bearer": {"token": "tok"}},
            )
        )
        assert service.seen[0].query == [("key", "s3 cret"), ("n", "1")]
        sent = output["request"]["headers"]
        assert (sent["Authorization"], sent["X-Api-Key"], sent["X-Own"], sent["X-Plain"]) == (
            "***",
            "***",
            "is ***!",
            "p",
        )
        assert output["request"]["uri"] == f"{service.base}/a?key=***&n=1"
        assert "s3" not in json.dumps(output)


class TestWhatComesBack:
    async def test_json_is_parsed(self, call, service):
        uri = service.on("/a", text='{"id": 18446744073709551615}', content_type="application/hal+json")
        assert data_of(await call("GET", uri)) == {"id": 2**64 - 1}

    async def test_text_is_a_string_in_its_charset(self, call, service):
        uri = service.on("/a", body="grün".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"})
        assert data_of(await call("GET", uri)) == "grün"

    async def test_an_unknown_charset_is_read_as_utf_8(self, call, service):
        uri = service.on("/a", body="grün".encode(), headers={"Content-Type": "text/plain; charset=klingon"})
        assert data_of(await call("GET", uri)) == "grün"

    async def test_binary_is_base64(self, call, service):
        uri = service.on("/a", body=b"\x00\xff\x01\xfe\x80", content_type="application/octet-stream")
        assert data_of(await call("GET", uri)) == "AP8B/oA="

    async def test_an_empty_body_is_null(self, call, service):
        assert data_of(await call("DELETE", service.on("/a", status=204))) is None
        assert data_of(await call("GET", service.on("/b", content_type="application/json"))) is None

    async def test_head_has_no_body(self, call, service):
        assert data_of(await call("HEAD", service.on("/a", text="long"))) is None

    async def test_raw_is_base64_of_the_bytes(self, call, service):
        uri = service.on("/a", text="[1]", content_type="application/json")
        assert data_of(await call("GET", uri, output="raw")) == base64.b64encode(b"[1]").decode()

    async def test_response_holds_request_status_headers_and_content(self, call, service):
        uri = service.on(
            "/a", status=201, text='{"id":9}', content_type="application/json", headers={"Location": "/a/9"}
        )
        output = data_of(await call("post", uri, output="response", body={"a": 1}))
        assert output["statusCode"] == 201
        assert output["content"] == {"id": 9}
        assert output["headers"]["Location"] == "/a/9"
        assert output["request"]["method"] == "POST"
        assert output["request"]["uri"] == uri
        assert output["request"]["headers"]["Content-Type"] == "application/json"

    async def test_a_repeated_header_is_joined(self, call, service):
        async def twice(_: web.Request) -> web.Response:
            response = web.Response()
            response.headers.extend([("X-V", "1"), ("x-v", "2")])
            return response

        output = data_of(await call("GET", service.on("/a", twice), output="response"))
        assert output["headers"]["X-V"] == "1, 2"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"{", "not valid JSON"),
            (b'{"a": 18446744073709551616}', "64 bits"),
            (b'["\\ud800"]', "not valid JSON"),
            (b"[" * 514 + b"]" * 514, "deep"),
            (b"[" * 100_000 + b"]" * 100_000, "deep"),
            (b"NaN", "not valid JSON"),
            (b'"\xff"', "not valid JSON"),
        ],
    )
    async def test_json_that_the_engine_cannot_carry_is_a_fault(self, call, service, text, words):
        fault = fault_of(await call("GET", service.on("/a", body=text, content_type="application/json")))
        assert (fault.type, fault.status) == (COMMUNICATION, 500)
        assert words in fault.detail

    async def test_cookies_are_not_kept(self, call, service):
        uri = service.on("/a", headers={"Set-Cookie": "a=b"})
        await call("GET", uri)
        await call("GET", uri)
        assert "Cookie" not in service.seen[1].headers

    async def test_a_body_at_the_limit_is_taken_and_one_over_is_not(self, call, service):
        text = "x" * (MAX_VALUE_BYTES - 2)
        assert data_of(await call("GET", service.on("/a", text=text))) == text
        fault = fault_of(await call("GET", service.on("/b", text="x" * (MAX_VALUE_BYTES + 1))))
        assert (fault.type, fault.status, fault.title) == (RUNTIME, 500, "Response too large")
        assert str(MAX_VALUE_BYTES) in fault.detail

    async def test_an_output_that_outgrows_the_limit_by_its_encoding_is_a_fault(self, call, service):
        uri = service.on("/a", body=b"x" * MAX_VALUE_BYTES, content_type="application/octet-stream")
        assert fault_of(await call("GET", uri, output="raw")).title == "Response too large"

    async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(self, call, service):
        packed = gzip.compress(b"\x00" * (64 * 1024 * 1024))
        uri = service.on("/b", body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
        assert len(packed) < MAX_VALUE_BYTES
        assert fault_of(await call("GET", uri)).title == "Response too large"

    async def test_a_packed_body_is_unpacked(self, call, service):
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        uri = service.on("/a", body=gzip.compress(b"[1]"), headers=headers)
        assert data_of(await call("GET", uri)) == [1]


class TestErrorStatus:
    @pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 409, 500, 503])
    async def test_a_status_outside_2xx_is_communication_with_that_status(self, call, service, status):
        fault = fault_of(await call("GET", service.on("/a", status=status)))
        assert (fault.type, fault.status) == (COMMUNICATION, status)
        assert fault.title
        assert not fault.unknown_outcome

    async def test_the_reason_phrase_is_the_title(self, call, service):
        fault = fault_of(await call("GET", service.on("/a", status=404)))
        assert fault.title == "Not Found"
        assert service.base.removeprefix("http://") in fault.detail

    async def test_a_problem_document_is_merged_in(self, call, service):
        problem = {"type": "urn:x", "title": "No stock", "detail": "None left", "status": 1, "sku": 7}
        uri = service.on("/a", status=409, text=json.dumps(problem), content_type="application/problem+json")
        fault = fault_of(await call("GET", uri))
        assert (fault.type, fault.status, fault.title, fault.detail) == (
            COMMUNICATION,
            409,
            "No stock",
            "None left",
        )
        assert fault.extra == {"sku": 7}

    @pytest.mark.parametrize("text", ["[1]", "{", '{"title": 5, "detail": null}'])
    async def test_a_broken_problem_document_changes_nothing(self, call, service, text):
        uri = service.on("/a", status=500, text=text, content_type="application/problem+json")
        assert fault_of(await call("GET", uri)).title == "Internal Server Error"

    async def test_a_huge_error_body_is_not_read(self, call, service):
        uri = service.on("/a", status=500, body=b"x" * (MAX_VALUE_BYTES * 4))
        assert fault_of(await call("GET", uri)).status == 500

    async def test_a_fault_repeats_no_credential(self, call, service):
        fault = fault_of(
            await call(
                "GET",
                service.on("/a", status=401) + "?key=s3cret",
                authentication={"bearer": {"token": "t0ken"}},
            )
        )
        assert "s3cret" not in str(fault)
        assert "t0ken" not in str(fault)


class TestRedirects:
    async def test_none_is_followed_unless_asked(self, call, service):
        service.on("/new", text="new")
        fault = fault_of(await call("POST", service.on("/old", status=301, headers={"Location": "/new"}), body={}))
        assert (fault.type, fault.status) == (COMMUNICATION, 301)
        assert [seen.path for seen in service.seen] == ["/old"]

    async def test_one_is_followed_when_asked(self, call, service):
        service.on("/new", text="new")
        uri = service.on("/old", status=302, headers={"Location": "new?x=1"})
        given = {"basic": {"username": "a", "password": "b"}}
        assert data_of(await call("GET", uri, redirect=True, authentication=given)) == "new"
        assert service.seen[1].query == [("x", "1")]
        assert service.seen[1].headers["Authorization"].startswith("Basic ")
        assert service.seen[1].headers["Idempotency-Key"] == "call-7"

    @pytest.mark.parametrize(
        ("status", "method", "expected"),
        [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "PUT", "GET"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ],
    )
    async def test_the_method_follows_the_status(self, call, service, status, method, expected):
        service.on("/new", text="new")
        await call(
            method,
            service.on("/old", status=status, headers={"Location": "/new"}),
            redirect=True,
            body={"a": 1},
        )
        assert service.seen[1].method == expected
        assert service.seen[1].body == (b'{"a":1}' if expected == "POST" else b"")

    async def test_credentials_do_not_follow_to_another_origin(self, call, service, other):
        other.on("/new", text="new")
        uri = service.on("/old", status=307, headers={"Location": other.base + "/new"})
        headers = {"X-Api-Key": "k", "Cookie": "a=b", "X-Plain": "p"}
        given = {"bearer": {"token": "t"}}
        assert data_of(await call("GET", uri, redirect=True, headers=headers, authentication=given)) == "new"
        (seen,) = other.seen
        assert not {"Authorization", "X-Api-Key", "Cookie"} & set(seen.headers)
        assert seen.headers["X-Plain"] == "p"

    async def test_a_redirect_to_another_scheme_is_refused(self, call, service):
        uri = service.on("/old", status=302, headers={"Location": "file:///etc/passwd"})
        fault = fault_of(await call("GET", uri, redirect=True))
        assert fault.title == "Invalid redirect"
        assert "'file'" in fault.detail

    async def test_a_3xx_that_leads_nowhere_is_a_success_when_redirects_are_asked_for(self, call, service):
        assert data_of(await call("GET", service.on("/a", status=304), redirect=True)) is None

    async def test_a_circle_ends(self, call, service):
        fault = fault_of(await call("GET", service.on("/a", status=302, headers={"Location": "/a"}), redirect=True))
        assert fault.title == "Too many redirects"
        assert len(service.seen) == MAX_REDIRECTS + 1


class TestFailures:
    async def test_a_refused_connection_is_tried_again_three_times(self, call, waits):
        port = closed_port()
        fault = fault_of(await call("POST", f"http://127.0.0.1:{port}/x"))
        assert waits.seconds == [0.1, 0.3, 0.9]
        assert (fault.type, fault.status, fault.title) == (COMMUNICATION, 500, "Not reachable")
        assert f"127.0.0.1:{port}" in fault.detail
        assert not fault.unknown_outcome

    async def test_a_service_that_starts_meanwhile_is_reached(self, call, waits):
        port = closed_port()
        runners: list[web.AppRunner] = []

        async def start() -> None:
            application = web.Application()
            application.router.add_get("/x", answer)
            runners.append(web.AppRunner(application, shutdown_timeout=0.1))
            await runners[0].setup()
            await web.TCPSite(runners[0], "127.0.0.1", port).start()

        async def answer(_: web.Request) -> web.Response:
            return web.Response(text="up")

        waits.meanwhile = start
        try:
            assert data_of(await call("GET", f"http://127.0.0.1:{port}/x")) == "up"
        finally:
            await runners[0].cleanup()
        assert waits.seconds == [0.1]

    async def test_a_connection_lost_after_sending_has_an_unknown_outcome(self, call, service):
        async def drop(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        fault = fault_of(await call("POST", service.on("/a", drop), body={"a": 1}))
        assert (fault.type, fault.status, fault.unknown_outcome) == (COMMUNICATION, 500, True)
        assert len(service.seen) == 1

    async def test_half_a_body_is_a_lost_connection(self, call, service):
        async def half(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "text/plain"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.close()
            return response

        fault = fault_of(await call("POST", service.on("/a", half)))
        assert (fault.title, fault.unknown_outcome) == ("Connection lost", True)

    async def test_the_deadline_is_timeout_408_with_an_unknown_outcome(self, call, service):
        never = asyncio.Event()

        async def hang(_: web.Request) -> web.Response:
            await never.wait()
            return web.Response()

        fault = fault_of(await call("POST", service.on("/a", hang), deadline_at=1_000_050))
        never.set()
        assert (fault.type, fault.status, fault.unknown_outcome) == (TIMEOUT, 408, True)

    async def test_a_deadline_that_has_passed_sends_nothing(self, call, service):
        fault = fault_of(await call("POST", service.on("/a"), deadline_at=1_000_000))
        assert (fault.type, fault.status) == (TIMEOUT, 408)
        assert service.seen == []

    async def test_cancelling_the_task_aborts_the_request(self, call):
        arrived, gone = asyncio.Event(), asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await reader.read()
            gone.set()
            writer.close()

        async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            task = asyncio.create_task(call("POST", f"http://127.0.0.1:{port}/"))
            async with asyncio.timeout(5):
                await arrived.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await gone.wait()

    async def test_a_name_that_does_not_resolve(self, call):
        fault = fault_of(await call("GET", "http://no-such-host.invalid/x"))
        assert (fault.type, fault.title) == (COMMUNICATION, "Host not found")
        assert "no-such-host.invalid" in fault.detail
        assert not fault.unknown_outcome

    async def test_tls_against_a_plain_server(self, call, service):
        fault = fault_of(await call("GET", service.base.replace("http:", "https:") + "/a"))
        assert (fault.type, fault.title) == (COMMUNICATION, "TLS failed")

    async def test_an_answer_that_is_not_http(self, call):
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"220 ready to serve\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            fault = fault_of(await call("GET", f"http://127.0.0.1:{port}/"))
        assert (fault.type, fault.title) == (COMMUNICATION, "Invalid response")
