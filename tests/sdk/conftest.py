"""Engines as programs have them: over a file and over memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock import Engine


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:{tmp_path / 'engine.db'}"


@pytest.fixture
async def engine(store: str) -> AsyncIterator[Engine]:
    async with Engine(store) as running:
        yield running


def calling(*capabilities: str, name: str = "calls", more: str = "") -> str:
    """A workflow that calls one capability after the other, each with the output of the one before."""
    head = f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'}}\n{more}do:\n"
    return head + "".join(f"- task{n}: {{call: {one}}}\n" for n, one in enumerate(capabilities))
