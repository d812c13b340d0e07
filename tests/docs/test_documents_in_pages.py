"""The workflows that pages show run, and give what the page says."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from penstock.model.executable import refusals
from penstock.model.load import load_document
from tests.conformance_data import REPOSITORY

FENCE: Final = re.compile(r"^```(yaml|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES: Final = ("README.md", "docs/first-steps.md")


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [body for found, body in FENCE.findall(text) if found == language]


@pytest.mark.parametrize("page", PAGES)
def test_every_document_of_the_page_is_valid_and_executable(page: str) -> None:
    documents = blocks(page, "yaml")
    assert documents
    for document in documents:
        loaded = load_document(document, name=page)
        assert loaded.errors == ()
        assert refusals(loaded) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_first_document_gives_the_output_that_stands_below_it(page: str, tmp_path: Path) -> None:
    document = tmp_path / "hello.yaml"
    document.write_text(blocks(page, "yaml")[0], encoding="utf-8")
    command = [sys.executable, "-m", "penstock", "run", str(document), "--input", '{"name": "you"}']
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(blocks(page, "json")[0])
