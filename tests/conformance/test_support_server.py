"""Starting and stopping a server process, proved with a small program in the server's place."""

import sys
from pathlib import Path

import pytest

from .support.client import api_client
from .support.server import clean_environment, server_process, until_ready, url_in

STAND_IN = """
import http.server, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Ready)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[1])))
print("hello")
print(f"listening on http://127.0.0.1:{server.server_port}/docs", flush=True)
print("x" * 200_000, flush=True)
server.serve_forever()
"""


def test_greeting_line_names_the_address() -> None:
    assert url_in("  API   http://127.0.0.1:40123/docs\n") == "http://127.0.0.1:40123"
    assert url_in("penstock 0.1.0 on http://localhost:1") is None


def test_a_child_sees_no_setting_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TOKEN", "secret")
    assert not [name for name in clean_environment() if name.startswith("PENSTOCK_")]


async def test_a_process_is_started_found_ready_and_stopped(tmp_path: Path) -> None:
    async with server_process((sys.executable, "-c", STAND_IN, "0"), tmp_path) as base_url:
        await until_ready(base_url)
        async with api_client(base_url) as api:
            (await api.request("GET", "/anything")).expect(200)


async def test_an_exit_status_other_than_0_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="expected 0, actual 3"):
        async with server_process((sys.executable, "-c", STAND_IN, "3"), tmp_path) as base_url:
            await until_ready(base_url)


async def test_a_process_that_ends_early_fails_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such store"):
        async with server_process((sys.executable, "-c", "print('no such store')"), tmp_path):
            pass


async def test_a_failure_inside_the_block_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="inside"):
        async with server_process((sys.executable, "-c", STAND_IN, "3"), tmp_path):
            raise KeyError("inside")
