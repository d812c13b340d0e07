"""The corpus's own matchers and mock server, imported where they lie (never copied).

`mock_server` imports its neighbour under the bare name `matchers`; that name is lent to it
while it loads and taken back afterwards, so nothing else sees it.
"""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir


class HttpMock(Protocol):
    """The part of the corpus's `MockServer` that the suites use."""

    port: int
    values: dict[str, int]
    log: list[dict[str, Json]]

    def problems(self, expected: Mapping[str, Json] | None = None) -> list[str]: ...


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def _modules() -> tuple[ModuleType, ModuleType]:
    folder = conformance_dir() / "serverless-workflow" / "harness"
    matchers = _load("conformance_matchers", folder / "matchers.py")
    before = sys.modules.get("matchers")
    sys.modules["matchers"] = matchers
    try:
        mock_server = _load("conformance_mock_server", folder / "mock_server.py")
    finally:
        del sys.modules["matchers"]
        if before is not None:
            sys.modules["matchers"] = before
    return matchers, mock_server


def match(expected: Json, actual: Json, at: str = "$") -> list[str]:
    """Every difference between a value and a matcher of the corpus; empty when they agree."""
    return cast(list[str], _modules()[0].match(expected, actual, at))


def substitute(value: Json, values: Mapping[str, int]) -> Json:
    """The value with `{{port}}`, `{{closed_port}}` and `{{grpc_port}}` filled in, at every depth."""
    return _modules()[1].substitute(value, values)


@asynccontextmanager
async def mock_http(mocks: list[Json]) -> AsyncIterator[HttpMock]:
    """The corpus's mock server on a free port, listening until the block ends."""
    server = _modules()[1].MockServer(mocks)
    server.__enter__()
    try:
        yield cast(HttpMock, server)
    finally:
        # Its shutdown waits for its thread: not on the event loop, which may be the engine's too.
        await asyncio.to_thread(server.__exit__)
