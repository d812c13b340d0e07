"""Whatever is sent, the server answers as its own document says, and never with a defect."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from penstock.runtime.settings import Settings
from penstock.server.app import serve
from tests.server.client import workflow
from tests.server.test_openapi import GOLDEN

EXAMPLES: Final = 20
TOKEN: Final = "a-token-for-a-test"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
"""Set from the beginning: the first token that these tests make would otherwise lock them out."""
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
pytestmark = pytest.mark.slow


class ServerThread:
    """A server in an event loop of its own, for clients that block."""

    def __init__(self, data_dir: Path) -> None:
        self._settings = Settings(port=0, store="memory:", data_dir=str(data_dir), token=TOKEN)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self.base_url = ""

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            async with serve(self._settings) as server:
                self.base_url = server.base_url
                self._listening.set()
                await self._stop.wait()
        finally:
            self._listening.set()

    def __enter__(self) -> "ServerThread":
        self._thread.start()
        assert self._listening.wait(30)
        assert self.base_url, "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The base URL of a server in which there is one of each thing, and the identities of these."""
    with ServerThread(tmp_path_factory.mktemp("properties")) as server:
        yield {"base_url": server.base_url, **_furnished(server.base_url)}


def _furnished(base_url: str) -> dict[str, str]:
    document = workflow("real", [{"echo": {"set": "${ {echo: .} }"}}])
    requests.post(f"{base_url}/api/v1/workflows", json=document, headers=BEARER, timeout=30).raise_for_status()
    run = requests.post(
        f"{base_url}/api/v1/workflows/tests/real/runs?wait=30", json={}, headers=BEARER, timeout=40
    ).json()
    tool = {
        "name": "real",
        "capability": "real",
        "transport": {"kind": "http", "endpoint": "http://127.0.0.1:9/"},
    }
    requests.post(f"{base_url}/api/v1/tools", json=tool, headers=BEARER, timeout=30).raise_for_status()
    event = {"specversion": "1.0", "id": run["id"], "source": "/real", "type": "real"}
    headers = {**BEARER, "Content-Type": "application/cloudevents+json"}
    requests.post(f"{base_url}/api/v1/events", json=event, headers=headers, timeout=30).raise_for_status()
    stored = requests.post(f"{base_url}/w", json={"name": "real", "services": []}, headers=BEARER, timeout=30).json()
    return {
        "namespace": "tests",
        "name": "real",
        "version": "1.0.0",
        "id": run["id"],
        "source": "/real",
        "workflow": stored["workflow_id"],
    }


# The golden document is the server's own (test_openapi). Streams are left out: they do not end.
schema = schemathesis.openapi.from_dict(json.loads(GOLDEN.read_text("utf8"))).exclude(path_regex="/stream$")


@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_every_operation_answers_as_promised(case: schemathesis.Case, real: dict[str, str]) -> None:
    _send(case, real["base_url"])
    # The same call on things that exist: random identities mostly end in 404.
    if case.path_parameters and case.method != "DELETE":
        for name in case.path_parameters:
            case.path_parameters[name] = real[name]
        _send(case, real["base_url"])


def _send(case: schemathesis.Case, base_url: str) -> None:
    case.call_and_validate(base_url=base_url, headers=BEARER, checks=list(CHECKS), timeout=90)
