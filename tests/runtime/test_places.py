"""What cannot be compiled or fetched is refused with its place in the text, like every other mistake."""

import socket

import pytest

from penstock.errors import Unprocessable
from penstock.runtime.engine import Engine

from .conftest import document


@pytest.fixture
def closed_port() -> int:
    """A port on loopback at which nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return reserved.getsockname()[1]


async def place_of_refusal(engine: Engine, text: str) -> tuple[str, int]:
    with pytest.raises(Unprocessable) as caught:
        await engine.deploy(text)
    (error,) = caught.value.errors
    return error.pointer, error.line


async def test_a_schema_that_is_none_is_refused_with_its_place(engine: Engine) -> None:
    text = document("bad", "- x:\n    set: {a: 1}\n    output:\n      schema: {document: {type: nothing}}\n")
    line = text.splitlines().index("      schema: {document: {type: nothing}}") + 1
    assert await place_of_refusal(engine, text) == ("/do/0/x/output/schema", line)
    checked = await engine.check(text)
    assert [(found.pointer, found.line) for found in checked.diagnostics] == [("/do/0/x/output/schema", line)]


async def test_a_schema_refers_to_nothing_that_is_not_pinned(engine: Engine) -> None:
    for target in ("http://127.0.0.1:9/schema.json", "file:///etc/hostname", "other.json"):
        text = document("ref", f"- x: {{set: {{a: 1}}, output: {{schema: {{document: {{$ref: '{target}'}}}}}}}}\n")
        assert (await place_of_refusal(engine, text))[0] == "/do/0/x/output/schema"


async def test_a_document_that_cannot_be_fetched_is_refused_with_its_place(engine: Engine, closed_port: int) -> None:
    text = document("gone", f"- x:\n    call: http://127.0.0.1:{closed_port}/function.yaml\n")
    line = next(i for i, one in enumerate(text.splitlines(), 1) if "function.yaml" in one)
    assert await place_of_refusal(engine, text) == ("/do/0/x/call", line)
