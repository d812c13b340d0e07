"""The client under the commands: streams, lost connections, answers that are none."""

import http.server
import io
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from penstock.cli.api import Api
from penstock.cli.exits import CONFLICT, INVALID, NOT_FOUND, UNREACHABLE, CommandFailed
from penstock.cli.problems import failure, place_line
from penstock.cli.sse import read_events
from penstock.model.limits import MAX_CLIENT_ANSWER_BYTES, MAX_CLIENT_RECONNECTS

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Generator[str]:
    """A server on loopback that answers every GET so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def text(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class TestServerSentEvents:
    def test_events_comments_and_several_lines_of_data(self) -> None:
        stream = b': hello\n\nid: 1\nevent: a\ndata: {"n":\ndata: 1}\n\nid: 2\r\ndata: 2\r\n\r\n'
        assert [tuple(event) for event in read_events(io.BytesIO(stream))] == [
            ("1", "a", {"n": 1}),
            ("2", "message", 2),
        ]

    def test_an_event_that_the_end_cuts_off_is_dropped(self) -> None:
        assert list(read_events(io.BytesIO(b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n"))) == [("1", "message", 1)]

    def test_data_that_is_no_json_is_a_lost_connection(self) -> None:
        with pytest.raises(ConnectionError):
            list(read_events(io.BytesIO(b"data: {\n\n")))

    def test_an_endless_event_is_refused(self) -> None:
        half = b"data: " + b"1" * (MAX_CLIENT_ANSWER_BYTES // 2) + b"\n"
        with pytest.raises(ConnectionError):
            list(read_events(io.BytesIO(half * 3)))


class TestLostStreams:
    def test_a_stream_goes_on_where_it_was_lost(self) -> None:
        asked: list[str | None] = []

        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            asked.append(handler.headers["Last-Event-ID"])
            number = len(asked)
            handler.send_response(200)
            body = f"id: {number}\ndata: {number}\n\n".encode()
            # The first answer promises more than it gives: the connection is lost in the middle.
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
            handler.wfile.write(b"ff\r\nid" if number == 1 else b"0\r\n\r\n")
            handler.close_connection = True

        with answering(answer) as url:
            events = [event.data for event in Api(url).events("/stream")]
        assert events == [1, 2]
        assert asked == [None, "1"]

    def test_after_so_many_losses_the_server_is_unreachable(self) -> None:
        asked: list[int] = []

        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            asked.append(1)
            handler.connection.close()

        with answering(answer) as url, pytest.raises(CommandFailed) as failed:
            list(Api(url).events("/stream"))
        assert failed.value.exit_code == UNREACHABLE
        assert len(asked) == MAX_CLIENT_RECONNECTS + 1


class TestAnswers:
    def test_what_is_no_json_is_no_penstock(self) -> None:
        with answering(lambda handler: text(handler, 200, b"<html>")) as url, pytest.raises(CommandFailed) as failed:
            Api(url).get("/api/v1/runs")
        assert failed.value.exit_code == UNREACHABLE
        assert "does not answer as a Penstock server does" in failed.value.message

    def test_pages_are_followed_up_to_the_number_asked_for(self) -> None:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            second = "cursor=next" in handler.path
            body = b'{"items": [3, 4], "next_cursor": "on"}' if second else b'{"items": [1, 2], "next_cursor": "next"}'
            text(handler, 200, body)

        with answering(answer) as url:
            assert list(Api(url).items("/list", most=3)) == [1, 2, 3]

    def test_a_server_that_says_nothing_is_unreachable(self) -> None:
        stop = threading.Event()

        def silent(_: http.server.BaseHTTPRequestHandler) -> None:
            stop.wait(10)

        with answering(silent) as url:
            with pytest.raises(CommandFailed) as failed:
                Api(url, timeout_s=0.1).get("/")
            stop.set()
        assert failed.value.exit_code == UNREACHABLE
        assert "does not answer in time" in failed.value.message

    @pytest.mark.parametrize(
        "url", ["ftp://x", "http://", "http://h:port", "http://h:99999", "http://[::1", "http://h:0"]
    )
    def test_addresses_that_are_none(self, url: str) -> None:
        with pytest.raises(CommandFailed) as failed:
            Api(url).get("/")
        assert failed.value.exit_code == INVALID

    @pytest.mark.parametrize(
        ("status", "exit_code"),
        [(400, INVALID), (401, INVALID), (404, NOT_FOUND), (409, CONFLICT), (422, INVALID), (500, UNREACHABLE)],
    )
    def test_each_status_has_its_exit(self, status: int, exit_code: int) -> None:
        assert failure(status, {"title": "T", "detail": "d"}).exit_code == exit_code
        assert failure(status, None).message == f"http status {status}"

    def test_findings_have_their_place(self) -> None:
        found = {"line": 3, "column": 5, "message": "wrong", "severity": "warning", "pointer": "/do"}
        assert place_line(found, "a.yaml") == "a.yaml:3:5: warning: wrong"
        assert place_line({"pointer": "/do", "message": "wrong"}, "a.yaml") == "a.yaml#/do: error: wrong"
