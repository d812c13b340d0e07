"""A service that transforms a text, over HTTP with nothing but the standard library.

`GET /healthcheck` is 204, `GET /infos` is the service's own registration document, and `POST /event` (or `/`,
where the default address points) takes `{"message": TEXT}` and answers `{"message": RESULT}`. Mistakes of the
caller are 4xx with `{"message": REASON}`. It listens on 127.0.0.1 only and keeps nothing.
"""

import argparse
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

BODY_BYTES_MAX: Final = 1_000_000
IDLE_TIMEOUT_S: Final = 10
EVENT_PATHS: Final = ("/event", "/")


@dataclass(frozen=True)
class TextService:
    """What one service is called, what it says about itself, and what it does to a text."""

    name: str
    input_description: str
    output_description: str
    transform: Callable[[str], str | int]

    def registration(self, address: str) -> dict[str, Any]:
        """The document with which an engine registers this service."""
        return {
            "name": self.name,
            "address": address,
            "inputs": [{"name": "message", "type": "string", "description": self.input_description}],
            "outputs": [{"name": "message", "type": "string", "description": self.output_description}],
        }


class Refused(Exception):
    """The request cannot be served: an HTTP status and the reason for the caller."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def message_of(body: bytes) -> str:
    """The text in the body of an event; raises `Refused` when there is none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "payload is not valid JSON.") from None
    if not payload:
        raise Refused(400, "payload can not be empty.")
    if not isinstance(payload, dict):
        raise Refused(400, "payload must be an object.")
    message = payload.get("message")
    if message is None or message == "":
        raise Refused(400, "message field is missing on payload.")
    if not isinstance(message, str):
        raise Refused(400, "message field must be a string.")
    return message


class TextServer(ThreadingHTTPServer):
    """One thread for each connection, on loopback; port 0 takes any free one."""

    daemon_threads = True

    def __init__(self, service: TextService, port: int, address: str | None) -> None:
        super().__init__(("127.0.0.1", port), TextHandler)
        self.service = service
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}"
        default = f"http://{service.name}.local:5000/"
        self.address = f"{self.base_url}/event" if address == "self" else address or default


class TextHandler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: TextServer  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower: only TextServer uses it

    def do_GET(self) -> None:
        if self.path == "/healthcheck":
            self.send_response(204)
            self.end_headers()
        elif self.path == "/infos":
            self.answer(200, self.server.service.registration(self.server.address))
        elif self.path in EVENT_PATHS:
            self.answer(405, {"message": "use POST."})
        else:
            self.answer(404, {"message": "no such path."})

    def do_POST(self) -> None:
        try:
            body = self.read_body()
            if self.path in ("/healthcheck", "/infos"):
                raise Refused(405, "use GET.")
            if self.path not in EVENT_PATHS:
                raise Refused(404, "no such path.")
            if not is_json(self.headers.get("Content-Type", "")):
                raise Refused(415, "JSON is expected.")
            self.answer(200, {"message": self.server.service.transform(message_of(body))})
        except Refused as refused:
            self.answer(refused.status, {"message": refused.reason})

    def read_body(self) -> bytes:
        declared = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (declared.isascii() and declared.isdigit()):
            self.close_connection = True
            raise Refused(411, "a Content-Length is expected.")
        if int(declared) > BODY_BYTES_MAX:
            self.close_connection = True
            raise Refused(413, "payload is too large.")
        return self.rfile.read(int(declared))

    def answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Says nothing: standard output is for the one line that says where this listens."""


def main(service: TextService) -> None:
    """Serves until the process is told to end."""
    parser = argparse.ArgumentParser(prog=service.name, description=service.output_description)
    parser.add_argument("--port", type=int, default=5000, help="0 takes any free one")
    parser.add_argument("--address", help="the address that /infos names; `self` is the one listened on")
    arguments = parser.parse_args()
    with TextServer(service, arguments.port, arguments.address) as server:
        print(f"listening on {server.base_url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
