"""A server for each module, and a directory for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import Shell, server


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of this module."""
    with server(tmp_path_factory.mktemp("server")) as (url, _):
        yield url


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Commands in an empty directory; no server listens at its address."""
    return Shell(tmp_path)


@pytest.fixture
def penstock(tmp_path: Path, base_url: str) -> Shell:
    """Commands in an empty directory, against the module's server."""
    return Shell(tmp_path, base_url)
